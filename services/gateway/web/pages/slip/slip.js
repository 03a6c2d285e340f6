// A paper ticket: the number, and a code to follow it with. ?width=58 is for narrow paper; #print
// prints at once.
import './slip-words.js';
import { ask, byId, clock, clocksOf, giveUp, lasting } from './paihao.js';
import { onSwitch, putName, say, word } from './language.js';
import { headers } from './key.js';

const [, , site, number] = location.pathname.split('/').map(decodeURIComponent);
if (new URLSearchParams(location.search).get('width') === '58') document.body.classList.add('narrow');

function show(slip) {
  clocksOf(slip);
  putName(byId('site'), slip.name);
  putName(byId('queue'), slip.queue_name);
  byId('number').textContent = slip.number;
  say(byId('ahead'), slip.ahead === 0 ? 'slip.first' : 'slip.ahead', { count: slip.ahead });
  byId('minutes').replaceChildren(...(slip.minutes ? [lasting('slip.minutes', slip.minutes)] : []));
  byId('follow').hidden = !slip.code;
  byId('watch').hidden = Boolean(slip.code);
  if (slip.code) byId('code').src = `data:image/svg+xml,${encodeURIComponent(slip.code)}`;
  byId('taken').textContent = `${slip.date} ${clock(slip.taken_at)}`;
  document.querySelector('.paper').hidden = false;
  byId('print').hidden = false;
}

const title = () => { document.title = `${number} · ${word('slip.title')}`; };

async function start() {
  try {
    const slip = await ask(`/api/v1/sites/${encodeURIComponent(site)}/tickets/${encodeURIComponent(number)}/slip`, { headers: headers() });
    show(slip);
    await byId('code').decode?.().catch(() => {});
  } catch (refusal) {
    giveUp(refusal);
    return;
  }
  if (location.hash === '#print') window.print();
}

byId('print').addEventListener('click', () => window.print());
onSwitch(title);
title();
start();

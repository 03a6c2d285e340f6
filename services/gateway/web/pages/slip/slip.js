// Paper ticket: the number, and a code that leads to its page. ?width=58 is for narrow paper; #print
// prints at once.
import './words.js';
import { fetchJson, siteId } from '../../shared/http.js';
import { byId } from '../../shared/dom.js';
import { useTimeZone, formatTime, hoursElement, minutesElement } from '../../shared/format.js';
import { showFatalError } from '../../shared/page.js';
import {
  translation,
  setText,
  setName,
  textElement,
  onLanguageChange,
} from '../../shared/language.js';
import { authHeaders } from '../../shared/credentials.js';

const number = decodeURIComponent(location.pathname.split('/')[3]);
if (new URLSearchParams(location.search).get('width') === '58') {
  document.body.classList.add('narrow');
}

function render(slip) {
  useTimeZone(slip);
  setName(byId('site'), slip.name, slip.name_en);
  setName(byId('queue'), slip.queue_name, slip.queue_name_en);
  byId('number').textContent = slip.number;
  const { state, ahead, minutes, hours, queue_state: queueState, counter_name: counter } = slip;
  if (state !== 'waiting') setText(byId('ahead'), `slip.state.${state}`);
  else setText(byId('ahead'), ahead === 0 ? 'slip.first' : 'slip.ahead', { count: ahead });
  if (counter) setName(byId('minutes'), counter, slip.counter_name_en);
  else {
    const time = formatTime(slip.now);
    byId('minutes').replaceChildren(
      ...(minutes ? [minutesElement('slip.minutes', minutes, { time })] : []),
    );
  }
  const stopped = ahead !== undefined && ['halted', 'closed'].includes(queueState);
  byId('stopped').replaceChildren(
    ...(stopped ? [textElement(`slip.queue.${queueState}`)] : []),
    ...(stopped && queueState === 'closed' && hours ? [hoursElement(hours)] : []),
  );
  byId('follow').hidden = !slip.code;
  byId('watch').hidden = Boolean(slip.code);
  if (slip.code) byId('code').src = `data:image/svg+xml,${encodeURIComponent(slip.code)}`;
  byId('taken').textContent = `${slip.date} ${formatTime(slip.taken_at)}`;
  byId('paper').hidden = false;
  byId('print').hidden = false;
}

const renderTitle = () => {
  document.title = `${number} · ${translation('slip.title')}`;
};

async function start() {
  try {
    const slip = await fetchJson(
      `/api/v1/sites/${encodeURIComponent(siteId)}/tickets/${encodeURIComponent(number)}/slip`,
      { headers: authHeaders() },
    );
    render(slip);
    await byId('code')
      .decode?.()
      .catch(() => {});
  } catch (error) {
    showFatalError(error);
    return;
  }
  if (location.hash === '#print') window.print();
}

byId('print').addEventListener('click', () => window.print());
onLanguageChange(renderTitle);
renderTitle();
start();

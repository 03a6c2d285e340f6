// The page of all phones, kept up to date by the simulator's news, with the hall's screen beside them.
import { api } from './api.js';
import { addCode, loadCodes } from './codes.js';
import { begin, named, said } from './language.js';
import { make } from './make.js';
import { Phone } from './phone.js';

const STORED = 'wechat-sim-phones';
const phones = [];
const hall = {
  account: { name: '公众号' },
  chosen: new URLSearchParams(location.search).get('scan'),
  look(phone) {
    phones.forEach(other => other.showCurrent(other === phone));
  },
  choose(url) {
    hall.chosen = url;
    history.replaceState(null, '', location.pathname);
    phones.forEach(phone => phone.showPick());
  },
};

function addPhone() {
  const phone = new Phone(phones.length, hall);
  phones.push(phone);
  document.getElementById('phones').append(phone.element);
  document.getElementById('switch').append(phone.tab);
  localStorage.setItem(STORED, phones.length);
  return phone;
}

async function loadAll() {
  hall.account = (await api('accounts'))[0];
  await loadCodes();
  await Promise.all(phones.map(phone => phone.load()));
  phones.forEach(phone => phone.showPick());
}

/** Shows the hall's screen as one sees it from afar: laid out for a wall, and made smaller. */
async function showBeside() {
  const { address } = await api('beside');
  if (!address) return;
  const beside = document.getElementById('beside');
  // It is only looked at: the link under it leads to it.
  const screen = named(make('iframe', { src: address, inert: true }), 'beside', {}, 'title');
  beside.append(make('div', { class: 'wall' }, screen), make('a', { href: address, target: '_blank', rel: 'noopener' }, said('beside')));
  beside.hidden = false;
  new ResizeObserver(([{ contentRect }]) => { screen.style.scale = contentRect.width / 1920; }).observe(beside.firstChild);
}

/** Hears the news. A page that was left may be kept for a way back: it must not keep its connection. */
function listen() {
  const events = new EventSource('/sim/events');
  addEventListener('pagehide', () => events.close(), { once: true });
  const offline = document.getElementById('offline');
  events.onopen = () => {
    offline.hidden = true;
    loadAll().catch(() => { offline.hidden = false; });
  };
  events.onerror = () => { offline.hidden = false; };
  events.addEventListener('again', () => loadAll());
  events.addEventListener('line', event => {
    const { openid, line } = JSON.parse(event.data);
    phones.find(phone => phone.openid === openid)?.add(line, true);
  });
  events.addEventListener('code', event => {
    addCode(JSON.parse(event.data));
    phones.forEach(phone => phone.showSheet());
  });
}

begin();
for (let count = Math.min(20, Math.max(3, Number(localStorage.getItem(STORED)) || 3)); count > 0; count -= 1) addPhone();
hall.look(phones[0]);
document.getElementById('add').addEventListener('click', () => {
  const phone = addPhone();
  phone.load().catch(() => {});
  hall.look(phone);
  phone.element.scrollIntoView({ block: 'nearest', inline: 'end' });
});
document.addEventListener('keydown', event => {
  if (event.key === 'Escape') phones.forEach(phone => phone.closeSheet());
});
setInterval(() => phones.forEach(phone => phone.tick()), 1000);
listen();
showBeside().catch(() => {});
addEventListener('pageshow', event => { if (event.persisted) listen(); });

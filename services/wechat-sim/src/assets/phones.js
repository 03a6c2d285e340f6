// Page of all phones, updated by the simulator's events, with the hall's screen beside them.
import { callApi } from './http.js';
import { addCode, loadCodes } from './codes.js';
import { startLanguage, setLabel, textElement } from './language.js';
import { createElement } from './dom.js';
import { Phone } from './phone.js';

const STORAGE_KEY = 'wechat-sim-phones';
const phones = [];
const hall = {
  account: { name: '公众号' },
  /** Buttons of the account's menu. */
  menu: [],
  chosen: new URLSearchParams(location.search).get('scan'),
  select(phone) {
    for (const other of phones) other.showCurrent(other === phone);
  },
  choose(url) {
    hall.chosen = url;
    history.replaceState(null, '', location.pathname);
    for (const phone of phones) phone.showPick();
  },
};

function addPhone() {
  const phone = new Phone(phones.length, hall);
  phones.push(phone);
  document.getElementById('phones').append(phone.element);
  document.getElementById('switch').append(phone.tab);
  localStorage.setItem(STORAGE_KEY, String(phones.length));
  return phone;
}

async function loadAll() {
  hall.account = (await callApi('accounts'))[0];
  hall.menu = (await callApi(`menu?appid=${hall.account.appid}`)).buttons;
  await loadCodes();
  await Promise.all(phones.map(phone => phone.load()));
  for (const phone of phones) phone.showPick();
}

/** Shows the hall's screen as it looks from afar: laid out for a wall, and made smaller. */
async function showBeside() {
  const { address } = await callApi('beside');
  if (!address) return;
  const beside = document.getElementById('beside');
  // It takes no input: the link under it leads to the screen.
  const screen = setLabel(
    createElement('iframe', { src: address, inert: true }),
    'beside',
    {},
    'title',
  );
  const wall = createElement('div', { class: 'wall' }, screen);
  beside.append(
    wall,
    createElement('a', { href: address, target: '_blank', rel: 'noopener' }, textElement('beside')),
  );
  beside.hidden = false;
  new ResizeObserver(([{ contentRect }]) => {
    screen.style.scale = String(contentRect.width / 1920);
  }).observe(wall);
}

/** Subscribes to events. A page that was left may be cached, and must not keep its connection. */
function subscribe() {
  const events = new EventSource('/sim/events');
  addEventListener('pagehide', () => events.close(), { once: true });
  const offline = document.getElementById('offline');
  events.onopen = () => {
    offline.hidden = true;
    loadAll().catch(() => {
      offline.hidden = false;
    });
  };
  events.onerror = () => {
    offline.hidden = false;
  };
  events.addEventListener('again', () => loadAll());
  events.addEventListener('line', event => {
    const { openid, line } = JSON.parse(event.data);
    phones.find(phone => phone.openid === openid)?.add(line, true);
  });
  events.addEventListener('menu', event => {
    const { appid, buttons } = JSON.parse(event.data);
    if (appid !== hall.account.appid) return;
    hall.menu = buttons;
    for (const phone of phones) phone.showMenu();
  });
  events.addEventListener('code', event => {
    addCode(JSON.parse(event.data));
    for (const phone of phones) phone.showSheet();
  });
}

startLanguage();
for (
  let count = Math.min(20, Math.max(3, Number(localStorage.getItem(STORAGE_KEY)) || 3));
  count > 0;
  count -= 1
)
  addPhone();
hall.select(phones[0]);
document.getElementById('add').addEventListener('click', () => {
  const phone = addPhone();
  phone.load().catch(() => {});
  hall.select(phone);
  phone.element.scrollIntoView({ block: 'nearest', inline: 'end' });
});
document.addEventListener('keydown', event => {
  if (event.key !== 'Escape') return;
  for (const phone of phones) {
    phone.closeSheet();
    phone.menu.close();
  }
});
setInterval(() => {
  for (const phone of phones) phone.tick();
}, 1000);
subscribe();
showBeside().catch(() => {});
addEventListener('pageshow', event => {
  if (event.persisted) subscribe();
});

// Where one is logged in; and for managers, who works here and an invitation for one more.
import './login-words.js';
import { ask, byId, hear, make, showConnected, toLogin } from './paihao.js';
import { onSwitch, pair, put, putName, said, say, tongue, word } from './language.js';

let me = null;
let watched = () => {};

const two = number => String(number).padStart(2, '0');
/** The same in both languages. */
const day = at => (date => `${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`)(new Date(at));

/** Carries something out, and says why not. */
async function act(path, options) {
  try {
    return await ask(path, options);
  } catch (refusal) {
    if (refusal.status === 401) return toLogin();
    put(byId('said'), refusal.pair);
    throw refusal;
  }
}

async function sessions() {
  const listed = await act('/api/v1/me/sessions');
  byId('others').hidden = listed.length < 2;
  byId('sessions').replaceChildren(...listed.map(session => make('li', {},
    make('div', {}, make('strong', { lang: 'en' }, `${session.browser} · ${session.address}`),
      make('p', {}, said(session.current ? 'me.here' : 'me.since', { begun: day(session.begun_at), seen: day(session.seen_at) }))),
    !session.current && make('button', { class: 'ghost', type: 'button', onclick: () => end(session.id) }, said('me.end')))));
}

async function end(id) {
  await act(`/api/v1/me/sessions/${id}`, { method: 'DELETE' });
  await sessions();
}

async function people() {
  const { members } = await act('/api/v1/staff');
  byId('people').hidden = false;
  byId('members').replaceChildren(...(members.length ? members.map(row) : [make('li', {}, said('me.nobody'))]));
}

function row(member) {
  const where = member.sites ? member.sites.join(', ') : null;
  return make('li', {},
    make('div', {}, make('strong', { lang: tongue(member.name) }, member.name),
      make('p', {}, said(`me.is.${member.role}`), ' · ', where ? make('span', { translate: 'no', lang: 'en' }, where) : said('me.everywhere'))),
    member.id !== me.id && make('button', { class: 'ghost', type: 'button', onclick: () => remove(member) }, said('me.remove')));
}

async function remove(member) {
  if (!window.confirm(word('me.sure', { name: member.name }))) return;
  await act(`/api/v1/staff/${member.id}`, { method: 'DELETE' });
  await people();
}

/** Managers, and staff at each counter of each site. */
async function roles() {
  const sites = (await act('/api/v1/sites')).filter(({ site }) => !me.sites || me.sites.includes(site));
  const states = await Promise.all(sites.map(({ site }) => act(`/api/v1/sites/${encodeURIComponent(site)}`)));
  const whole = { role: 'manager', sites: me.sites, counters: [] };
  const option = (label, value) => make('option', { value: JSON.stringify(value), lang: tongue(label) }, label);
  byId('what').replaceChildren(option(word('me.is.manager'), whole), ...states.flatMap(state => state.counters.map(counter =>
    option(`${state.name} · ${counter.name}`, { role: 'staff', sites: [state.site], counters: [counter.id] }))));
}

async function invite(event) {
  event.preventDefault();
  const name = byId('name').value.trim();
  const opened = await act('/api/v1/invitations', { method: 'POST', body: JSON.stringify({ name, ...JSON.parse(byId('what').value) }) });
  watched();
  const named = () => make('strong', { lang: tongue(name) }, name);
  byId('whom').replaceChildren(named(), ' ', said('me.whom'));
  byId('code').src = opened.qr_svg;
  byId('phone').hidden = !opened.scan_link;
  if (opened.scan_link) byId('phone').href = opened.scan_link;
  byId('invited').hidden = false;
  byId('name').value = '';
  const over = key => { watched(); byId('invited').hidden = true; byId('said').replaceChildren(named(), ' ', said(key)); people(); };
  watched = hear(opened.events, {
    approved: () => over('me.joined'), refused: () => over('me.unused'), expired: () => over('me.unused'),
  }, showConnected);
}

function title() {
  document.title = word('me.title');
  if (me) roles();
}

async function start() {
  try {
    me = await ask('/api/v1/me');
  } catch (refusal) {
    if (refusal.status === 401) return toLogin();
    showConnected(false);
    return setTimeout(start, 3000);
  }
  showConnected(true);
  putName(byId('who'), me.name);
  say(byId('role'), `me.is.${me.role}`);
  title();
  await sessions();
  if (me.role === 'manager') await people();
}

byId('others').addEventListener('click', async () => { await act('/api/v1/me/sessions', { method: 'DELETE' }); await sessions(); });
byId('sign-out').addEventListener('click', async () => { await act('/api/v1/me/sessions/current', { method: 'DELETE' }); toLogin(); });
byId('invite').addEventListener('submit', invite);
onSwitch(title);
start();

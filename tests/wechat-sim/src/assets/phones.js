// Plays the customers' phones: draws their chats, and does what their owners tap.
'use strict';

const NAMES = ['小林', '阿珍', '老周', '小吴', '陈姐', '大刘', '小梅', '老何', '阿强', '小雨'];
const STORED = 'wechat-sim-phones';
const api = (path, body) =>
  fetch('/sim/api/' + path, body && {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }).then(answer => (answer.ok ? answer.json() : Promise.reject(new Error(answer.statusText))));

/** An element with attributes, or handlers where the name begins with "on", and children. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter(child => child != null && child !== false));
  return element;
}
const english = text => make('small', { lang: 'en' }, text);
const two = number => String(number).padStart(2, '0');
const clock = at => {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
};

const phones = [];
let codes = [];
let clockAhead = 0; // milliseconds by which the simulator's clock is ahead of this one
let account = { name: '公众号' };
let chosen = new URLSearchParams(location.search).get('scan');

class Phone {
  constructor(index) {
    this.openid = 'oPaihaoPhone' + String(index + 1).padStart(16, '0');
    this.name = NAMES[index] || `顾客 ${index + 1}`;
    this.color = 'c' + (index % 6);
    this.seen = 0;
    this.unread = 0;
    this.follows = false;
    this.busy = false;
    this.atEnd = true;
    this.build();
  }

  build() {
    this.chat = make('div', { class: 'chat', role: 'log', 'aria-label': `${this.name}的聊天`, tabindex: 0 });
    // A chat stays at its end also while it grows, shrinks, or is not shown at all.
    this.chat.addEventListener('scroll', () => { this.atEnd = this.chat.scrollHeight - this.chat.scrollTop - this.chat.clientHeight < 80; });
    new ResizeObserver(() => this.atEnd && this.toEnd()).observe(this.chat);
    this.input = make('input', { type: 'text', maxlength: 300, 'aria-label': '发消息 · message', placeholder: '发消息…' });
    this.write = make('form', { class: 'write', onsubmit: event => this.send(event) },
      this.input, make('button', { class: 'send' }, '发送'));
    this.leave = make('button', { type: 'button', class: 'leave', onclick: () => this.toggleFollow() }, '');
    this.scanButton = make('button', { type: 'button', class: 'scan', onclick: () => this.openSheet() },
      scanMark(), make('span', {}, '扫一扫 ', english('Scan')));
    this.pick = make('div', { class: 'pick', hidden: true });
    this.codeList = make('div', { class: 'codes' });
    this.link = make('input', { type: 'text', required: true, 'aria-label': '二维码链接 · link of a code', placeholder: '粘贴二维码里的链接' });
    this.sheet = make('section', { class: 'sheet', hidden: true, 'aria-label': '扫一扫 · scan' },
      make('div', { class: 'sheethead' },
        make('strong', {}, '扫一扫 ', english('Scan a code')),
        make('button', { type: 'button', class: 'close', 'aria-label': '关闭 · close', onclick: () => this.closeSheet() }, '×')),
      this.codeList,
      make('form', { class: 'paste', onsubmit: event => this.scanLink(event) }, this.link, make('button', {}, '扫描')));
    this.state = make('span', { class: 'state' });
    this.account = make('strong', {}, account.name);
    this.element = make('article', { class: 'phone', id: this.openid, 'aria-label': `${this.name}的手机` },
      make('div', { class: 'owner' }, make('span', { class: `face ${this.color}`, 'aria-hidden': 'true' }, this.name[0]), this.name),
      make('div', { class: 'frame' },
        make('div', { class: 'bar' }, make('time', { class: 'now' }, clock(Date.now())), make('span', { class: 'signal', 'aria-hidden': 'true' }, '5G ▮')),
        make('div', { class: 'head' }, this.account, this.state, this.leave),
        this.chat, this.pick,
        make('div', { class: 'foot' }, this.write, this.scanButton),
        this.sheet));
    this.tab = make('button', { type: 'button', class: 'tab', onclick: () => select(this) },
      make('span', { class: `face ${this.color}`, 'aria-hidden': 'true' }, this.name[0]), make('span', { class: 'tabname' }, this.name), this.badge = make('b', { class: 'badge', hidden: true }));
    this.showFollow();
    this.showPick();
  }

  async load() {
    const [lines, states] = await Promise.all([
      api(`chat?openid=${this.openid}&after=${this.seen}`),
      api(`people?openid=${this.openid}`),
    ]);
    lines.forEach(line => this.add(line));
    const state = states.find(state => state.appid === account.appid);
    this.follows = Boolean(state && state.follows);
    this.showFollow();
  }

  add(line, fresh) {
    if (line.id <= this.seen) return;
    this.seen = line.id;
    this.chat.append(draw(line, this));
    if (this.atEnd || fresh) this.toEnd();
    if (!fresh) return;
    if (['reply', 'service', 'notice', 'card', 'failure'].includes(line.kind)) {
      this.element.classList.remove('ding');
      requestAnimationFrame(() => this.element.classList.add('ding'));
      if (!this.element.classList.contains('current')) this.unread += 1;
      this.showBadge();
    }
    if (line.kind === 'note') this.load().catch(() => {});
  }

  toEnd() {
    this.atEnd = true;
    this.chat.scrollTop = this.chat.scrollHeight;
  }

  showBadge() {
    this.badge.hidden = this.unread === 0;
    this.badge.textContent = this.unread;
  }

  showFollow() {
    this.account.textContent = account.name;
    this.state.textContent = this.follows ? '' : '未关注';
    this.leave.replaceChildren(...(this.follows ? ['取消关注 ', english('Unfollow')] : ['关注 ', english('Follow')]));
    this.input.disabled = !this.follows;
    this.input.placeholder = this.follows ? '发消息…' : '扫码即关注';
    this.write.querySelector('button').disabled = !this.follows;
    this.chat.classList.toggle('empty', !this.chat.children.length);
  }

  showBusy(busy) {
    this.busy = busy;
    this.element.classList.toggle('busy', busy);
    this.element.setAttribute('aria-busy', busy);
  }

  toggleFollow() {
    const path = this.follows ? 'unfollow' : 'follow';
    this.act(path, { appid: account.appid });
  }

  async act(path, body) {
    if (this.busy) return;
    this.showBusy(true);
    try {
      await api(path, { openid: this.openid, ...body });
      await this.load();
    } catch (error) {
      this.chat.append(make('p', { class: 'note' }, `没有成功：${error.message}`));
    } finally {
      this.showBusy(false);
    }
  }

  send(event) {
    event.preventDefault();
    const text = this.input.value.trim();
    if (!text) return;
    this.input.value = '';
    this.act('text', { appid: account.appid, text });
  }

  scan(what) {
    this.closeSheet();
    this.act('scan', what);
  }

  scanLink(event) {
    event.preventDefault();
    const url = this.link.value.trim();
    this.link.value = '';
    this.scan({ url });
  }

  openSheet() {
    this.sheet.hidden = false;
    this.showSheet();
    this.sheet.querySelector('button').focus();
    loadCodes().then(() => this.showSheet(), () => {});
  }

  closeSheet() {
    if (this.sheet.hidden) return;
    this.sheet.hidden = true;
    this.scanButton.focus();
  }

  showSheet() {
    if (this.sheet.hidden) return;
    // Only the list is drawn anew: somebody may be writing below it.
    this.codeList.replaceChildren(...(codes.length
      ? codes.map(code => codeRow(code, () => this.scan({ ticket: code.ticket })))
      : [make('p', { class: 'note' }, '还没有二维码。打开一个取号页面，它就会出现在这里。', make('br'), english('No code yet: open a kiosk page and it appears here.'))]));
  }

  showPick() {
    this.pick.hidden = !chosen;
    if (!chosen) return;
    const code = codes.find(code => code.url === chosen);
    this.pick.replaceChildren(
      code ? picture(code) : make('span', { class: 'nopicture', 'aria-hidden': 'true' }, '?'),
      make('span', { class: 'what' }, make('strong', {}, code ? '选中的码' : '链接里的码'), code && lifeOf(code)),
      make('button', { type: 'button', class: 'go', onclick: () => this.scan({ url: chosen }) }, '扫这个 ', english('Scan')),
      make('button', { type: 'button', class: 'close', 'aria-label': '不扫 · dismiss', onclick: dismiss }, '×'));
  }
}

const scanMark = () => make('span', { class: 'mark', 'aria-hidden': 'true' });

function picture(code) {
  return make('img', { src: '/sim/api/code.svg?ticket=' + encodeURIComponent(code.ticket), alt: '', width: 64, height: 64 });
}

function age(code) {
  const seconds = Math.max(0, Math.round((Date.now() + clockAhead - code.created_at) / 1000));
  if (seconds < 5) return '刚刚';
  if (seconds < 60) return `${seconds} 秒前`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} 分钟前`;
  return `${Math.floor(seconds / 3600)} 小时前`;
}

function lifeOf(code) {
  if (code.expires_at == null) return make('span', { class: 'life' }, '长期有效');
  const left = Math.ceil((code.expires_at - Date.now() - clockAhead) / 1000);
  if (left <= 0) return make('span', { class: 'life over' }, '已过期');
  return make('span', { class: 'life' }, `还剩 ${Math.floor(left / 60)}:${two(left % 60)}`);
}

function codeRow(code, scan) {
  const row = make('button', { type: 'button', class: 'code' + (code.url === chosen ? ' chosen' : ''), onclick: scan },
    picture(code),
    make('span', { class: 'what' }, make('strong', {}, `${age(code)}创建`), lifeOf(code), make('span', { class: 'tail' }, '…' + code.url.slice(-6))));
  row.tick = () => {
    row.querySelector('strong').textContent = `${age(code)}创建`;
    row.querySelector('.life').replaceWith(lifeOf(code));
  };
  return row;
}

/** A reply's text; of markup it may hold links only, as in WeChat. */
function rich(text) {
  const parts = [];
  const link = /<a\s+href="(https?:[^"]+)"[^>]*>([^<]*)<\/a>/g;
  let from = 0;
  for (const found of text.matchAll(link)) {
    parts.push(text.slice(from, found.index));
    parts.push(make('a', { href: found[1], target: '_blank', rel: 'noopener' }, found[2]));
    from = found.index + found[0].length;
  }
  parts.push(text.slice(from));
  return parts;
}

function draw(line, phone) {
  const when = make('time', { datetime: new Date(line.at).toISOString() }, clock(line.at));
  switch (line.kind) {
    case 'sent':
      return make('div', { class: 'row mine' }, make('div', {}, make('p', { class: 'bubble' }, line.text), when), make('span', { class: `face ${phone.color}`, 'aria-hidden': 'true' }, phone.name[0]));
    case 'reply':
    case 'service':
      return make('div', { class: 'row' }, make('span', { class: 'face account', 'aria-hidden': 'true' }, account.name[0]), make('div', {}, make('p', { class: 'bubble' }, rich(line.text)), when));
    case 'notice':
    case 'card':
      return make('div', { class: 'card' },
        make('h3', {}, line.title),
        make('dl', {}, line.fields.map(([label, value]) => make('div', {}, make('dt', {}, label), make('dd', {}, value)))),
        line.message?.url && make('a', { href: safe(line.message.url), target: '_blank', rel: 'noopener' }, '详情', make('span', { 'aria-hidden': 'true' }, '›')),
        when);
    case 'failure':
      return make('p', { class: 'note failure' }, line.text, make('br'), make('small', {}, `（${line.reason}）`));
    default:
      return make('p', { class: 'note' }, line.text, ' ', when);
  }
}

const safe = url => (/^https?:/.test(url) ? url : null);

function dismiss() {
  chosen = null;
  history.replaceState(null, '', location.pathname);
  phones.forEach(phone => phone.showPick());
}

function select(phone) {
  phones.forEach(other => {
    other.element.classList.toggle('current', other === phone);
    other.tab.setAttribute('aria-pressed', other === phone);
  });
  phone.unread = 0;
  phone.showBadge();
}

function addPhone() {
  const phone = new Phone(phones.length);
  phones.push(phone);
  document.getElementById('phones').append(phone.element);
  document.getElementById('switch').append(phone.tab);
  localStorage.setItem(STORED, phones.length);
  return phone;
}

async function loadCodes() {
  const listed = await api('codes?limit=12');
  clockAhead = listed.now - Date.now();
  codes = listed.codes;
}

async function loadAll() {
  account = (await api('accounts'))[0];
  await loadCodes();
  await Promise.all(phones.map(phone => phone.load()));
  phones.forEach(phone => phone.showPick());
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
    const phone = phones.find(phone => phone.openid === openid);
    if (phone) {
      phone.chat.classList.remove('empty');
      phone.add(line, true);
    }
  });
  events.addEventListener('code', event => {
    codes = [JSON.parse(event.data), ...codes].slice(0, 12);
    phones.forEach(phone => phone.showSheet());
  });
}

for (let count = Math.min(20, Math.max(3, Number(localStorage.getItem(STORED)) || 3)); count > 0; count -= 1) addPhone();
select(phones[0]);
document.getElementById('add').addEventListener('click', () => {
  const phone = addPhone();
  phone.load().catch(() => {});
  select(phone);
  phone.element.scrollIntoView({ block: 'nearest', inline: 'end' });
});
document.addEventListener('keydown', event => {
  if (event.key === 'Escape') phones.forEach(phone => phone.closeSheet());
});
setInterval(() => {
  document.querySelectorAll('.now').forEach(element => { element.textContent = clock(Date.now()); });
  phones.forEach(phone => {
    if (!phone.sheet.hidden) phone.sheet.querySelectorAll('.code').forEach(row => row.tick());
    const life = phone.pick.querySelector('.life');
    const code = codes.find(code => code.url === chosen);
    if (life && code) life.replaceWith(lifeOf(code));
  });
}, 1000);
listen();
addEventListener('pageshow', event => { if (event.persisted) listen(); });

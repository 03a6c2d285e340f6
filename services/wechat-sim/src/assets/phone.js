// One customer's phone: its chat, the codes it can scan, and what its owner taps.
import { api } from './api.js';
import { draw, face } from './chat.js';
import { allCodes, codeOf, lifeOf, loadCodes, noCodes, pictureOf, rowOf } from './codes.js';
import { named, said, saidAlone, say, tongue } from './language.js';
import { clock, make } from './make.js';

const NAMES = ['小林', '阿珍', '老周', '小吴', '陈姐', '大刘', '小梅', '老何', '阿强', '小雨'];
const DINGS = ['reply', 'service', 'notice', 'card', 'failure'];

/** A phone; `hall` is what all of them share: the account, the chosen code, and who is looked at. */
export class Phone {
  constructor(index, hall) {
    this.hall = hall;
    this.openid = 'oPaihaoPhone' + String(index + 1).padStart(16, '0');
    this.name = NAMES[index] || `${NAMES[index % NAMES.length]} ${Math.floor(index / NAMES.length) + 1}`;
    this.color = 'c' + (index % 6);
    this.seen = 0;
    this.unread = 0;
    this.follows = false;
    this.busy = false;
    this.atEnd = true;
    this.build();
  }

  build() {
    const { name } = this;
    this.empty = said('empty', {}, 'p');
    this.empty.className = 'empty';
    this.chat = named(make('div', { class: 'chat', role: 'log', tabindex: 0 }, this.empty), 'chat', { name });
    // A chat stays at its end also while it grows, shrinks, or is not shown at all.
    this.chat.addEventListener('scroll', () => { this.atEnd = this.chat.scrollHeight - this.chat.scrollTop - this.chat.clientHeight < 80; });
    new ResizeObserver(() => this.atEnd && this.toEnd()).observe(this.chat);
    this.input = make('input', { type: 'text', maxlength: 300 });
    this.sendButton = say(make('button', { class: 'send' }), 'send', {}, true);
    this.write = make('form', { class: 'write', onsubmit: event => this.send(event) }, this.input, this.sendButton);
    this.leave = make('button', { type: 'button', class: 'leave', onclick: () => this.toggleFollow() });
    this.scanButton = make('button', { type: 'button', class: 'scan', onclick: () => this.openSheet() },
      make('span', { class: 'mark', 'aria-hidden': 'true' }), said('scan'));
    this.pick = make('div', { class: 'pick', hidden: true });
    this.buildSheet();
    this.state = saidAlone('stranger');
    this.state.className = 'state';
    this.account = make('strong');
    this.element = named(make('article', { class: 'phone', id: this.openid },
      make('h2', { class: 'owner', lang: tongue(name) }, face(name, this.color), name),
      make('div', { class: 'frame' },
        make('div', { class: 'bar' }, make('time', { class: 'now' }, clock(Date.now())), make('span', { class: 'signal', 'aria-hidden': 'true' }, '5G ▮')),
        make('div', { class: 'head' }, this.account, this.state, this.leave),
        this.chat, this.pick,
        make('div', { class: 'foot' }, this.write, this.scanButton),
        this.sheet)), 'phone', { name });
    this.badge = make('b', { class: 'badge', hidden: true });
    this.tab = make('button', { type: 'button', class: 'tab', lang: tongue(name), onclick: () => this.hall.look(this) },
      face(name, this.color), make('span', {}, name), this.badge);
    this.showFollow();
    this.showPick();
  }

  buildSheet() {
    this.codeList = make('div', { class: 'codes' });
    this.link = make('input', { type: 'text', required: true });
    for (const attribute of ['aria-label', 'placeholder']) named(this.link, 'link', {}, attribute);
    this.sheet = named(make('section', { class: 'sheet', hidden: true },
      make('div', { class: 'sheethead' }, said('codes', {}, 'strong'),
        named(make('button', { type: 'button', class: 'close', onclick: () => this.closeSheet() }, '×'), 'close')),
      this.codeList,
      make('form', { class: 'paste', onsubmit: event => this.scanLink(event) },
        this.link, say(make('button'), 'scan-link', {}, true))), 'codes');
  }

  async load() {
    const [lines, states] = await Promise.all([
      api(`chat?openid=${this.openid}&after=${this.seen}`),
      api(`people?openid=${this.openid}`),
    ]);
    lines.forEach(line => this.add(line));
    const state = states.find(state => state.appid === this.hall.account.appid);
    this.follows = Boolean(state && state.follows);
    this.showFollow();
  }

  add(line, fresh) {
    if (line.id <= this.seen) return;
    this.seen = line.id;
    this.empty.remove();
    this.chat.append(draw(line, this, this.hall.account));
    if (this.atEnd || fresh) this.toEnd();
    if (!fresh) return;
    if (DINGS.includes(line.kind)) {
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

  /** Whether this is the phone that is looked at where there is room for one only. */
  showCurrent(current) {
    this.element.classList.toggle('current', current);
    this.tab.setAttribute('aria-pressed', current);
    if (current) this.unread = 0;
    this.showBadge();
  }

  showBadge() {
    this.badge.hidden = this.unread === 0;
    this.badge.textContent = this.unread;
  }

  showFollow() {
    const { name } = this.hall.account;
    this.account.textContent = name;
    this.account.lang = tongue(name);
    this.state.hidden = this.follows;
    say(this.leave, this.follows ? 'unfollow' : 'follow');
    for (const attribute of ['aria-label', 'placeholder']) named(this.input, this.follows ? 'message' : 'muted', {}, attribute);
    this.input.disabled = !this.follows;
    this.sendButton.disabled = !this.follows;
  }

  showBusy(busy) {
    this.busy = busy;
    this.element.classList.toggle('busy', busy);
    this.element.setAttribute('aria-busy', busy);
  }

  toggleFollow() {
    this.act(this.follows ? 'unfollow' : 'follow', { appid: this.hall.account.appid });
  }

  async act(path, body) {
    if (this.busy) return;
    this.showBusy(true);
    try {
      await api(path, { openid: this.openid, ...body });
      await this.load();
    } catch {
      const note = said('failed', {}, 'p');
      note.className = 'note failure';
      this.chat.append(note);
    } finally {
      this.showBusy(false);
    }
  }

  send(event) {
    event.preventDefault();
    const text = this.input.value.trim();
    if (!text) return;
    this.input.value = '';
    this.act('text', { appid: this.hall.account.appid, text });
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
    const rows = allCodes().map(code => rowOf(code, this.hall.chosen, () => this.scan({ ticket: code.ticket })));
    this.codeList.replaceChildren(...(rows.length ? rows : [noCodes()]));
  }

  /** The code that the page was opened with, ready to be scanned. */
  showPick() {
    const { chosen } = this.hall;
    this.pick.hidden = !chosen;
    if (!chosen) return;
    const code = codeOf(chosen);
    this.pick.replaceChildren(
      code ? pictureOf(code) : make('span', { class: 'nopicture', 'aria-hidden': 'true' }, '?'),
      make('span', { class: 'what' }, saidAlone(code ? 'chosen' : 'chosen-link', {}, 'strong'), code && lifeOf(code)),
      say(make('button', { type: 'button', class: 'go', onclick: () => this.scan({ url: chosen }) }), 'scan-this', {}, true),
      named(make('button', { type: 'button', class: 'close', onclick: () => this.hall.choose(null) }, '×'), 'dismiss'));
  }

  /** What goes on by itself: the clock, and what is left of codes. */
  tick() {
    this.element.querySelector('.now').textContent = clock(Date.now());
    if (!this.sheet.hidden) for (const row of this.codeList.querySelectorAll('.code')) row.tick();
    const code = codeOf(this.hall.chosen);
    if (code) this.pick.querySelector('.life')?.replaceWith(lifeOf(code));
  }
}

// Phone of one customer: its chat, the codes it can scan, and what its owner taps.
import { callApi } from './http.js';
import { renderLine, faceElement } from './chat.js';
import {
  allCodes,
  findCode,
  lifetimeElement,
  loadCodes,
  emptyElement,
  codeImage,
  codeRow,
} from './codes.js';
import { setLabel, textElement, leadingTextElement, setText, languageOf } from './language.js';
import { formatTime, createElement } from './dom.js';
import { createMenu } from './menu.js';

const NAMES = ['小林', '阿珍', '老周', '小吴', '陈姐', '大刘', '小梅', '老何', '阿强', '小雨'];
const NO_MENU = [];
const ALERTING_KINDS = ['reply', 'service', 'notice', 'card', 'failure'];

/** A phone; `hall` holds what all phones share: the account, the chosen code, the current phone. */
export class Phone {
  constructor(index, hall) {
    this.hall = hall;
    this.openid = `oPaihaoPhone${String(index + 1).padStart(16, '0')}`;
    this.name =
      NAMES[index] || `${NAMES[index % NAMES.length]} ${Math.floor(index / NAMES.length) + 1}`;
    this.color = `c${index % 6}`;
    this.seen = 0;
    this.unread = 0;
    this.follows = false;
    this.busy = false;
    /** @type {string | null} address of the code that it scanned last */
    this.used = null;
    this.atEnd = true;
    this.build();
  }

  build() {
    const { name } = this;
    this.empty = textElement('empty', {}, 'p');
    this.empty.className = 'empty';
    this.chat = setLabel(
      createElement('div', { class: 'chat', role: 'log', tabindex: 0 }, this.empty),
      'chat',
      { name },
    );
    // A chat stays at its end while it grows, shrinks, or is hidden.
    this.chat.addEventListener('scroll', () => {
      this.atEnd = this.chat.scrollHeight - this.chat.scrollTop - this.chat.clientHeight < 80;
    });
    new ResizeObserver(() => this.atEnd && this.toEnd()).observe(this.chat);
    this.input = createElement('input', { type: 'text', maxlength: 300 });
    this.sendButton = setText(createElement('button', { class: 'send' }), 'send', {}, true);
    this.write = createElement(
      'form',
      { class: 'write', onsubmit: event => this.send(event) },
      this.input,
      this.sendButton,
    );
    this.leave = createElement('button', {
      type: 'button',
      class: 'leave',
      onclick: () => this.toggleFollow(),
    });
    this.scanButton = createElement(
      'button',
      { type: 'button', class: 'scan', onclick: () => this.openSheet() },
      createElement('span', { class: 'mark', 'aria-hidden': 'true' }),
      textElement('scan'),
    );
    this.pick = createElement('div', { class: 'pick', hidden: true });
    this.menu = createMenu(name, (button, entry) => this.press(button, entry));
    this.buildSheet();
    this.state = leadingTextElement('stranger');
    this.state.className = 'state';
    this.account = createElement('strong');
    this.element = setLabel(
      createElement(
        'article',
        { class: 'phone', id: this.openid },
        createElement(
          'h2',
          { class: 'owner', lang: languageOf(name) },
          faceElement(name, this.color),
          name,
        ),
        createElement(
          'div',
          { class: 'frame' },
          createElement(
            'div',
            { class: 'bar' },
            createElement('time', { class: 'now' }, formatTime(Date.now())),
            createElement('span', { class: 'signal', 'aria-hidden': 'true' }, '5G ▮'),
          ),
          createElement('div', { class: 'head' }, this.account, this.state, this.leave),
          this.chat,
          this.pick,
          createElement('div', { class: 'foot' }, this.write, this.menu.element, this.scanButton),
          this.sheet,
        ),
      ),
      'phone',
      { name },
    );
    this.badge = createElement('b', { class: 'badge', hidden: true });
    this.tab = createElement(
      'button',
      {
        type: 'button',
        class: 'tab',
        lang: languageOf(name),
        onclick: () => this.hall.select(this),
      },
      faceElement(name, this.color),
      createElement('span', {}, name),
      this.badge,
    );
    this.showFollow();
    this.showPick();
  }

  buildSheet() {
    this.codeList = createElement('div', { class: 'codes' });
    this.link = createElement('input', { type: 'text', required: true });
    for (const attribute of ['aria-label', 'placeholder'])
      setLabel(this.link, 'link', {}, attribute);
    this.sheet = setLabel(
      createElement(
        'section',
        { class: 'sheet', hidden: true },
        createElement(
          'div',
          { class: 'sheethead' },
          textElement('codes', {}, 'strong'),
          setLabel(
            createElement(
              'button',
              { type: 'button', class: 'close', onclick: () => this.closeSheet() },
              '×',
            ),
            'close',
          ),
        ),
        this.codeList,
        createElement(
          'form',
          { class: 'paste', onsubmit: event => this.scanLink(event) },
          this.link,
          setText(createElement('button'), 'scan-link', {}, true),
        ),
      ),
      'codes',
    );
  }

  async load() {
    const [lines, states] = await Promise.all([
      callApi(`chat?openid=${this.openid}&after=${this.seen}`),
      callApi(`people?openid=${this.openid}`),
    ]);
    for (const line of lines) this.add(line);
    const state = states.find(state => state.appid === this.hall.account.appid);
    this.follows = Boolean(state?.follows);
    this.showFollow();
  }

  add(line, fresh) {
    if (line.id <= this.seen) return;
    this.seen = line.id;
    this.empty.remove();
    this.chat.append(renderLine(line, this, this.hall.account));
    if (this.atEnd || fresh) this.toEnd();
    if (!fresh) return;
    if (ALERTING_KINDS.includes(line.kind)) {
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

  /** Marks the current phone, the only one that a narrow screen shows. */
  showCurrent(current) {
    this.element.classList.toggle('current', current);
    this.tab.setAttribute('aria-pressed', current);
    if (current) this.unread = 0;
    this.showBadge();
  }

  showBadge() {
    this.badge.hidden = this.unread === 0;
    this.badge.textContent = String(this.unread);
  }

  showFollow() {
    const { name } = this.hall.account;
    this.account.textContent = name;
    this.account.lang = languageOf(name);
    this.state.hidden = this.follows;
    setText(this.leave, this.follows ? 'unfollow' : 'follow');
    for (const attribute of ['aria-label', 'placeholder']) {
      setLabel(this.input, this.follows ? 'message' : 'muted', {}, attribute);
    }
    this.input.disabled = !this.follows;
    this.showMenu();
    this.sendButton.disabled = !this.follows;
  }

  /** Shows the account's menu, to a follower only. */
  showMenu() {
    this.menu.show(this.follows ? this.hall.menu : NO_MENU);
  }

  showBusy(busy) {
    this.busy = busy;
    this.element.classList.toggle('busy', busy);
    this.element.setAttribute('aria-busy', busy);
  }

  toggleFollow() {
    this.act(this.follows ? 'unfollow' : 'follow', { appid: this.hall.account.appid });
  }

  /** Carries out an act of this person; resolves to whether it was done. */
  async act(path, body) {
    if (this.busy) return false;
    this.showBusy(true);
    try {
      await callApi(path, { openid: this.openid, ...body });
      await this.load();
      return true;
    } catch {
      const note = textElement('failed', {}, 'p');
      note.className = 'note failure';
      this.chat.append(note);
      return false;
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

  /** Presses a button of the menu, or an entry below it. */
  press(button, entry) {
    this.act('press', { appid: this.hall.account.appid, button, entry });
  }

  /** Taps a choice inside a message. */
  choose(text, chosen) {
    this.act('text', { appid: this.hall.account.appid, text, chosen });
  }

  /** Scans a code. The card of a code that this phone has used gives its room to the answer. */
  async scan(what, url = what.url) {
    this.closeSheet();
    if (!(await this.act('scan', what))) return;
    this.used = url;
    this.showPick();
    this.toEnd();
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
    this.sheet.querySelector('button').focus({ preventScroll: true });
    loadCodes().then(
      () => this.showSheet(),
      () => {},
    );
  }

  closeSheet() {
    if (this.sheet.hidden) return;
    this.sheet.hidden = true;
    this.scanButton.focus({ preventScroll: true });
  }

  showSheet() {
    if (this.sheet.hidden) return;
    // The form below the list is not replaced: somebody may be writing there.
    const rows = allCodes().map(code =>
      codeRow(code, this.hall.chosen, () => this.scan({ ticket: code.ticket }, code.url)),
    );
    this.codeList.replaceChildren(...(rows.length ? rows : [emptyElement()]));
  }

  /** Shows the code that the page was opened with, ready to be scanned. */
  showPick() {
    const { chosen } = this.hall;
    this.pick.hidden = !chosen || chosen === this.used;
    if (this.pick.hidden) return;
    const code = findCode(chosen);
    this.pick.replaceChildren(
      code
        ? codeImage(code)
        : createElement('span', { class: 'nopicture', 'aria-hidden': 'true' }, '?'),
      createElement(
        'span',
        { class: 'what' },
        leadingTextElement(code ? 'chosen' : 'chosen-link', {}, 'strong'),
        code && lifetimeElement(code),
      ),
      setText(
        createElement('button', {
          type: 'button',
          class: 'go',
          onclick: () => this.scan({ url: chosen }),
        }),
        'scan-this',
        {},
        true,
      ),
      setLabel(
        createElement(
          'button',
          { type: 'button', class: 'close', onclick: () => this.hall.choose(null) },
          '×',
        ),
        'dismiss',
      ),
    );
  }

  /** Updates the clock, and the lifetimes of codes. */
  tick() {
    this.element.querySelector('.now').textContent = formatTime(Date.now());
    if (!this.sheet.hidden) {
      /** @type {any[]} */
      const rows = [...this.codeList.querySelectorAll('.code')];
      for (const row of rows) row.tick();
    }
    const code = findCode(this.hall.chosen);
    if (code) this.pick.querySelector('.life')?.replaceWith(lifetimeElement(code));
  }
}

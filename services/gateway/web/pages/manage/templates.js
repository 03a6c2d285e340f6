// Section of the templates: one chosen for each notice from the account's own, with what its fields say.
/** @import { SectionContext } from '../../shared/types' */
import './templates-words.js';
import { newIdempotencyKey } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { hasTranslation, setText, textElement, translations } from '../../shared/language.js';
import { actionButton, languageTag, statusLine } from './access.js';
import { copyOf, field, sameInBoth, selectField } from './fields.js';
import { testCard } from './template-test.js';

const KINDS = /** @type {const} */ (['message', 'subscription']);
const OWN_TEXT = '=';
const CHECK_DELAY_MS = 400; // after the last key of an own text

/**
 * Template that is chosen, with what its fields say.
 * @typedef {{ template_id: string, fields: Record<string, string> }} Chosen
 */

/**
 * Reason why a field cannot say something.
 * @typedef {{ code: string, limit: number | null }} Fault
 */

/**
 * What the fields of a template say, as the server checks it.
 * @typedef {object} Mapping
 * @property {string} title
 * @property {{ key: string, label: string, wording: string | null, fault: Fault | null, options: { wording: string, shown: string | null, fault: Fault | null }[] }[]} fields
 * @property {boolean} complete
 * @property {string[]} missing
 * @property {{ notice: string, lines: { label: string, text: string }[] }[]} cards
 */

/** @param {string} account */
const pathOf = account => `/api/v1/accounts/${encodeURIComponent(account)}/templates`;

/** @param {Fault} fault */
const faultTexts = ({ code, limit }) =>
  translations(`templates.fault.${code}`, { limit: limit ?? '' });

/** Words for what a field says: a placeholder, the counter after other words, or a text. */
function wordingTexts(wording) {
  const [, before, name] = /^(.*)\{(\w+)\}$/.exec(wording) || [];
  const word = before && name === 'counter' ? 'come' : !before && name;
  if (!word || !hasTranslation(`templates.says.${word}`)) return sameInBoth(wording);
  return translations(`templates.says.${word}`);
}

const joined = texts => [...new Set(texts)].join(' · ');

/**
 * Card as WeChat shows it.
 * @param {string} title
 * @param {Mapping['cards'][number]} card
 */
const wechatCard = (title, { notice, lines }) =>
  createElement(
    'figure',
    { class: 'phone-view' },
    setText(createElement('figcaption', { class: 'who' }), `manage.kind.${notice}`),
    createElement(
      'div',
      { class: 'message-card', lang: 'zh-CN', translate: 'no' },
      createElement('strong', {}, title),
      createElement(
        'dl',
        {},
        lines.flatMap(line => [
          createElement('dt', {}, line.label),
          createElement('dd', {}, line.text),
        ]),
      ),
    ),
  );

/**
 * Part of a notice: the choice of one kind of template, its fields, and their card.
 * @param {any} page
 * @param {any} notice
 * @param {typeof KINDS[number]} kind
 * @param {() => void} changed
 */
function templatePart(page, notice, kind, changed) {
  const { account, request, locked } = page;
  /** @type {Chosen | null} */
  let chosen = notice[kind] && { ...notice[kind], fields: { ...notice[kind].fields } };
  /** @type {Mapping | null} */
  let mapping = null;
  let checks = 0;
  let timer = 0;
  const fields = createElement('div', { class: 'fields' });
  const cards = createElement('div', { class: 'template-cards' });
  const missing = createElement('div', { class: 'template-missing' });
  const test = createElement('div', {});
  const element = createElement('div', { class: 'template-part', 'data-kind': kind });

  const send = body =>
    request(`${pathOf(account)}/mapping`, {
      method: 'POST',
      body: { notice: notice.notice, kind, ...body },
    });

  /** Has the server check what the fields say, or propose it. */
  async function check(proposes = false) {
    if (!chosen) return;
    checks += 1;
    const own = checks;
    const { template_id: id, fields: said } = chosen;
    const result = await send({ template_id: id, ...(!proposes && { fields: said }) });
    if (own !== checks || chosen?.template_id !== id) return;
    mapping = result;
    if (proposes) {
      chosen.fields = Object.fromEntries(
        mapping.fields.filter(one => one.wording).map(one => [one.key, one.wording]),
      );
    }
    if (proposes || !fields.childElementCount) renderFields();
    renderResult();
    changed();
  }

  function renderFields() {
    fields.replaceChildren(...(mapping?.fields || []).map(fieldRow));
  }

  /** @param {Mapping['fields'][number]} one */
  function fieldRow(one) {
    const { key, label, options } = one;
    const isOwn = wording =>
      Boolean(wording) && !options.some(option => option.wording === wording);
    const select = createElement('select', { disabled: locked(notice) });
    const option = (value, text, more = {}) => createElement('option', { value, ...more }, text);
    select.append(
      option('', joined(translations('templates.choose'))),
      ...options.map(({ wording, shown, fault }) => {
        const texts = joined(wordingTexts(wording));
        const why = fault ? joined(faultTexts(fault)) : shown;
        return option(wording, `${texts} — ${why}`, { disabled: Boolean(fault) });
      }),
      option(OWN_TEXT, joined(translations('templates.own'))),
    );
    const wording = chosen.fields[key] || '';
    select.value = isOwn(wording) ? OWN_TEXT : wording;
    const own = createElement('input', {
      autocomplete: 'off',
      maxlength: 64,
      lang: 'zh-CN',
      disabled: locked(notice),
      'aria-label': `${label || key}`,
    });
    own.value = isOwn(wording) ? wording : '';
    own.hidden = select.value !== OWN_TEXT;
    const row = field(
      `${notice.notice}.${kind}.${key}`,
      sameInBoth(label ? `${label} (${key})` : key),
      select,
    );
    row.dataset.field = key;
    row.querySelector('label').lang = languageTag(label);
    row.insertBefore(own, row.querySelector('.wrong'));
    const set = value => {
      if (value) chosen.fields[key] = value;
      else delete chosen.fields[key];
      clearTimeout(timer);
      timer = setTimeout(() => check().catch(() => {}), own.hidden ? 0 : CHECK_DELAY_MS);
    };
    select.addEventListener('change', () => {
      own.hidden = select.value !== OWN_TEXT;
      set(own.hidden ? select.value : own.value);
      if (!own.hidden) own.focus();
    });
    own.addEventListener('input', () => set(own.value));
    return row;
  }

  /** Shows the faults beside their fields, and the cards. */
  function renderResult() {
    for (const one of mapping?.fields || []) {
      const wrong = fields.querySelector(`[data-field="${one.key}"] .wrong`);
      const texts = one.fault && faultTexts(one.fault);
      wrong?.replaceChildren(...(texts ? [createElement('span', {}, joined(texts))] : []));
    }
    cards.replaceChildren(...(mapping?.cards || []).map(card => wechatCard(mapping.title, card)));
    missing.replaceChildren(
      ...(mapping?.missing || []).map(name =>
        setText(createElement('p', { class: 'told' }), `templates.missing.${name.slice(1, -1)}`),
      ),
    );
    test.replaceChildren(
      ...(mapping?.complete ? [testCard(page, { notice: notice.notice, kind, ...chosen })] : []),
    );
  }

  function choose(id) {
    chosen = id ? { template_id: id, fields: {} } : null;
    mapping = null;
    for (const place of [fields, cards, missing, test]) place.replaceChildren();
    changed();
    check(true).catch(() => {});
  }

  const isListed = id => page.view[kind].templates.some(one => one.template_id === id);
  const isGone = () => Boolean(chosen) && !isListed(chosen.template_id);
  const select = selectField(
    `${notice.notice}.${kind}`,
    translations(`templates.kind.${kind}`),
    '',
    [],
    choose,
  );
  const control = select.querySelector('select');
  control.disabled = locked(notice);
  function renderChoice() {
    const option = (value, texts, disabled = false) =>
      createElement('option', { value, disabled }, joined(texts));
    control.replaceChildren(
      option('', translations('templates.none')),
      ...page.view[kind].templates.map(({ template_id: id, title, outdated }) => {
        const texts = outdated ? translations('templates.outdated', { title }) : sameInBoth(title);
        return option(id, texts, outdated);
      }),
      ...(isGone() ? [option(chosen.template_id, translations('templates.gone'))] : []),
    );
    control.value = chosen?.template_id ?? '';
  }
  renderChoice();
  const add = actionButton('templates.add', async () => {
    add.disabled = true;
    try {
      const { template_id: id } = await request(pathOf(account), {
        method: 'POST',
        body: { notice: notice.notice, kind },
      });
      await page.listAgain(kind);
      control.value = id;
      choose(id);
      page.showStatus('done', textElement('templates.added'));
    } finally {
      add.disabled = false;
    }
  });
  add.dataset.add = kind;
  element.append(
    select,
    ...(page.view[kind].refused || locked(notice)
      ? []
      : [createElement('div', { class: 'adding' }, add)]),
    fields,
    missing,
    cards,
    test,
  );
  if (chosen && !isGone()) check().catch(() => {});
  return {
    element,
    chosen: () => chosen,
    isReady: () => !chosen || isGone() || Boolean(mapping?.complete),
    isChanged: () => JSON.stringify(chosen) !== JSON.stringify(notice[kind] ?? null),
    renderChoice,
  };
}

/**
 * Card of a kind of notice.
 * @param {any} page
 * @param {any} notice
 */
function noticeCard(page, notice) {
  const parts = Object.fromEntries(
    KINDS.map(kind => [kind, templatePart(page, notice, kind, () => renderSave())]),
  );
  let idempotencyKey = newIdempotencyKey(); // until the request was answered
  const save = actionButton(
    'templates.save',
    async () => {
      const body = Object.fromEntries(KINDS.map(kind => [kind, parts[kind].chosen()]));
      const path = `/api/v1/book/accounts/${encodeURIComponent(page.account)}/notices/${notice.notice}`;
      try {
        await page.request(path, {
          method: 'PUT',
          body,
          headers: { 'idempotency-key': idempotencyKey, 'if-match': page.tag },
          onResponse: response => {
            page.tag = response.headers.get('etag') ?? page.tag;
          },
        });
      } catch (error) {
        if (!error.retryable) idempotencyKey = newIdempotencyKey();
        throw error;
      }
      idempotencyKey = newIdempotencyKey();
      // What is edited in the other cards stays.
      Object.assign(notice, copyOf(body));
      renderSave();
      page.showStatus('done', textElement('templates.saved'));
    },
    'primary',
  );
  function renderSave() {
    const all = Object.values(parts ?? {});
    save.disabled = !all.some(part => part.isChanged()) || !all.every(part => part.isReady());
  }
  save.disabled = true;
  const isUnused = !notice.subscription && page.view.subscription.templates.length === 0;
  const card = createElement(
    'section',
    { class: 'card template-notice', 'data-notice': notice.notice },
    textElement(`templates.notice.${notice.notice}`, {}, 'h3'),
    setText(createElement('p', { class: 'soft' }), `templates.notice.${notice.notice}.use`),
    notice.set_by_file && setText(createElement('p', { class: 'told' }), 'templates.file'),
    parts.message.element,
    createElement(
      'details',
      { open: Boolean(notice.subscription) },
      setText(
        createElement('summary', {}),
        isUnused ? 'templates.subscription.unused' : 'templates.subscription.also',
      ),
      parts.subscription.element,
    ),
    !notice.set_by_file && createElement('div', { class: 'adding' }, save),
  );
  return { card, parts };
}

/** Sentence about a list that WeChat did not tell. */
const refusedLine = (kind, { words, advice }) =>
  createElement(
    'p',
    { class: 'told refused' },
    textElement(`templates.refused.${kind}`),
    createElement('br'),
    createElement(
      'small',
      { class: 'soft', lang: 'en' },
      [words, advice].filter(Boolean).join(' → '),
    ),
  );

/** @param {SectionContext} context */
export function section({ draft }) {
  const { line, showStatus, request } = statusLine();
  const place = createElement('div', { class: 'place', id: 'templates' });
  const picker = createElement('div', { class: 'template-account' });
  let account = draft.account;

  async function load() {
    const own = account;
    let tag = null;
    const view = await request(pathOf(own), {
      onResponse: response => {
        tag = response.headers.get('etag');
      },
    });
    if (own !== account) return;
    /** @type {any} */
    const page = { account, view, tag, request, showStatus, locked: notice => notice.set_by_file };
    const cards = view.notices.map(notice => noticeCard(page, notice));
    page.listAgain = async kind => {
      const listed = await request(pathOf(own));
      view[kind] = listed[kind];
      for (const { parts } of cards) parts[kind].renderChoice();
    };
    place.replaceChildren(
      ...KINDS.flatMap(kind => (view[kind].refused ? [refusedLine(kind, view[kind].refused)] : [])),
      ...cards.map(({ card }) => card),
    );
  }

  const start = async () => {
    const accounts = await request('/api/v1/accounts');
    if (accounts.length > 1) {
      const names = accounts.map(({ account: name }) => [name, [name]]);
      picker.replaceChildren(
        selectField(
          'templates.account',
          translations('templates.account'),
          account,
          names,
          name => {
            account = name;
            place.replaceChildren();
            load().catch(() => {});
          },
        ),
      );
    }
    await load();
  };
  start().catch(() => {});
  return [picker, line, place];
}

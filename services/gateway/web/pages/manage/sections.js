// Sections of a site's settings: general, queues, wording, posters, changes.
/** @import { SectionContext, Texts } from '../../shared/types' */
import { fetchJson } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { formatDateTime } from '../../shared/format.js';
import {
  translations,
  setTextPair,
  setText,
  textElement,
  languageOf,
} from '../../shared/language.js';
import {
  textField,
  englishNameField,
  numberField,
  textAreaField,
  selectField,
  checkboxField,
  addForm,
  cardTitle,
  removeButton,
  setter,
} from './fields.js';
import { appendEntries, entriesOf, moveButtons } from './order.js';

const EXAMPLE_DELAY_MS = 300; // after the last key, before the example is shown anew

const NOTICE_KINDS = [
  'joined',
  'near',
  'next',
  'called',
  'recalled',
  'missed',
  'returned',
  'slipped',
  'halted',
  'queue_closed',
  'reopened',
  'held',
  'removed',
  'cleared',
];
const RULE_CHOICES = {
  policy: ['strict', 'interleave'],
  missed: ['after_k', 'hold_minutes', 'tail', 'void'],
  transfer: ['arrival', 'front', 'tail'],
};
const NUMBER_RULES = [
  'grace_seconds',
  'calls',
  'capacity',
  'daily_cap',
  'daily_per_person',
  'near',
  'class',
  'bound',
  'missed_places',
  'missed_grow',
  'missed_returns',
  'missed_minutes',
  'let_pass',
  'let_pass_minutes',
];
const BOOLEAN_RULES = ['start_on_call', 'auto_recall', 'auto_miss', 'carry_over', 'missed_lane'];

/** @param {string} key */
const heading = (key, lead = `${key}.lead`) => [
  setText(createElement('h2'), key),
  setText(createElement('p', { class: 'lead' }), lead),
];
/**
 * The site's name, its time zone and its business day.
 * @param {SectionContext} context
 */
function site({ draft, changed, id }) {
  return [
    ...heading('manage.site'),
    createElement(
      'div',
      { class: 'card' },
      cardTitle(draft.name, id),
      createElement(
        'div',
        { class: 'fields' },
        textField('name', translations('manage.name'), draft.name, setter(draft, 'name', changed)),
        englishNameField('name_en', draft, changed),
        textField(
          'time_zone',
          translations('manage.zone'),
          draft.time_zone,
          setter(draft, 'time_zone', changed),
        ),
        numberField(
          'day_starts_at',
          translations('manage.day'),
          draft.day_starts_at,
          setter(draft, 'day_starts_at', changed),
          { attributes: { min: 0, max: 23 } },
        ),
      ),
      numberField(
        'kiosk_slips',
        translations('manage.kiosk-slips'),
        draft.kiosk_slips || 0,
        setter(draft, 'kiosk_slips', changed),
        { hint: translations('manage.kiosk-slips.form'), attributes: { min: 0, max: 100 } },
      ),
      checkboxField(
        translations('manage.several'),
        draft.several_counters,
        setter(draft, 'several_counters', changed),
      ),
    ),
  ];
}

/**
 * Rules of a queue with an example of what they do, which follows the draft.
 * @param {() => any} setup
 * @param {string} id
 * @param {HTMLElement[]} fields
 */
function rulesPart(setup, id, fields) {
  const example = createElement('div', { class: 'example', 'aria-live': 'polite' });
  example.hidden = true;
  let timer = 0;
  const show = async () => {
    const { showExample } = await import('./rules-example.js');
    await showExample(example, setup, id);
  };
  const part = createElement(
    'details',
    { class: 'rules' },
    textElement('manage.rules', {}, 'summary'),
    fields,
    example,
  );
  part.addEventListener('toggle', () => part.open && show());
  for (const event of ['input', 'change']) {
    part.addEventListener(event, () => {
      clearTimeout(timer);
      timer = setTimeout(show, EXAMPLE_DELAY_MS);
    });
  }
  return part;
}

/** @param {SectionContext} context */
function queues({ draft, changed, redraw, withAuth }) {
  const cards = entriesOf(draft.queues).map(([id, queue]) => {
    const prefix = `queues.${id}`;
    /** @param {string} name */
    const set = name => setter(queue, name, changed);
    return createElement(
      'div',
      { class: 'card' },
      cardTitle(
        queue.name,
        id,
        moveButtons(draft.queues, id, redraw),
        removeButton(queue.name, () => {
          delete draft.queues[id];
          for (const counter of Object.values(draft.counters)) {
            counter.queues = counter.queues.filter(queueId => queueId !== id);
          }
          redraw();
        }),
      ),
      createElement(
        'div',
        { class: 'fields' },
        textField(`${prefix}.name`, translations('manage.name'), queue.name, set('name')),
        englishNameField(`${prefix}.name_en`, queue, changed),
        textField(
          `${prefix}.prefix`,
          translations('manage.prefix'),
          queue.prefix,
          value => set('prefix')(value.toUpperCase()),
          { attributes: { maxlength: 3 } },
        ),
        numberField(
          `${prefix}.minutes`,
          translations('manage.minutes'),
          queue.minutes,
          set('minutes'),
          { attributes: { min: 1, max: 600 } },
        ),
      ),
      checkboxField(translations('manage.open'), queue.open, set('open')),
      rulesPart(() => draft, id, [
        createElement(
          'div',
          { class: 'fields' },
          Object.entries(RULE_CHOICES).map(([name, values]) =>
            selectField(
              `${prefix}.${name}`,
              translations(`manage.rule.${name}`),
              queue[name],
              values.map(value => [value, translations(`manage.${name}.${value}`)]),
              set(name),
            ),
          ),
          NUMBER_RULES.map(name =>
            numberField(
              `${prefix}.${name}`,
              translations(`manage.rule.${name}`),
              // What is as usual may be absent.
              queue[name] ?? DEFAULT_QUEUE[name],
              set(name),
              { attributes: { min: 0 } },
            ),
          ),
        ),
        createElement(
          'div',
          { class: 'ticks' },
          BOOLEAN_RULES.map(name =>
            checkboxField(translations(`manage.rule.${name}`), queue[name], set(name)),
          ),
        ),
      ]),
    );
  });
  /** @param {[id: string, name: string][]} added */
  const add = added => {
    const used = new Set(entriesOf(draft.queues).map(([, queue]) => queue.prefix));
    const free = PREFIXES.filter(letters => !used.has(letters));
    appendEntries(
      draft.queues,
      added.map(([id, name], index) => [id, { ...DEFAULT_QUEUE, name, prefix: free[index] }]),
    );
    // The server refuses a queue that no counter serves: all do until somebody chooses.
    for (const [, counter] of entriesOf(draft.counters)) {
      counter.queues.push(...added.map(([id]) => id));
    }
    redraw();
  };
  return [
    ...heading('manage.queues'),
    ...cards,
    addForm('manage.add.queue', 'queue', add, draft.queues, withAuth),
  ];
}

/** I and O look like digits. */
const LETTERS = [...'ABCDEFGHJKLMNPQRSTUVWXYZ'];
const PREFIXES = [...LETTERS, ...LETTERS.flatMap(first => LETTERS.map(second => first + second))];

/** Rules of a new queue; the server's defaults are the same. */
const DEFAULT_QUEUE = {
  minutes: 5,
  grace_seconds: 180,
  open: true,
  hours: [],
  class: 5,
  policy: 'strict',
  interleave: [2, 1],
  missed_lane: false,
  bound: 4,
  capacity: 0,
  daily_cap: 0,
  daily_per_person: 6,
  missed: 'after_k',
  missed_places: 3,
  missed_grow: 0,
  missed_returns: 2,
  missed_minutes: 30,
  transfer: 'arrival',
  carry_over: false,
  start_on_call: false,
  auto_miss: false,
  auto_recall: false,
  calls: 3,
  let_pass: 2,
  let_pass_minutes: 30,
  near: 3,
};

let noticeKind = 'called';
let previewRequests = 0;

/**
 * The site's own wording of notices, with a preview of the message in WeChat.
 * @param {SectionContext} context
 */
function words({ draft, changed, redraw, id, withAuth }) {
  const ownWording = draft.wording[noticeKind] || {};
  const view = createElement('div', { class: 'phone-view', lang: 'zh-CN', 'aria-live': 'polite' });
  const order = createElement('p', { class: 'soft' });
  const renderPreview = async () => {
    previewRequests += 1;
    const request = previewRequests;
    try {
      const body = JSON.stringify({ kind: noticeKind, setup: draft });
      const preview = await fetchJson(
        `/api/v1/book/sites/${encodeURIComponent(id)}/preview`,
        withAuth({ method: 'POST', body }),
      );
      if (request !== previewRequests) return;
      view.replaceChildren(...previewElements(preview, draft.name));
      setText(order, 'manage.order', { channels: preview.channels.join(', ') });
    } catch (error) {
      if (request === previewRequests) {
        view.replaceChildren(setTextPair(createElement('p'), error.texts));
      }
    }
  };
  const set = name => value => {
    ownWording[name] = value;
    for (const key of ['news', 'text']) if (ownWording[key] == null) delete ownWording[key];
    if (Object.keys(ownWording).length) draft.wording[noticeKind] = ownWording;
    else delete draft.wording[noticeKind];
    changed();
    renderPreview();
  };
  const prefix = `wording.${noticeKind}`;
  renderPreview();
  return [
    ...heading('manage.words'),
    createElement(
      'div',
      { class: 'two' },
      createElement(
        'div',
        { class: 'card' },
        selectField(
          'wording',
          translations('manage.kind'),
          noticeKind,
          NOTICE_KINDS.map(kind => [kind, translations(`manage.kind.${kind}`)]),
          value => {
            noticeKind = value;
            redraw();
          },
        ),
        noticeKind !== 'joined' &&
          textField(
            `${prefix}.news`,
            translations('manage.news'),
            ownWording.news,
            value => set('news')(value || null),
            { wide: true, hint: translations('manage.news.form'), attributes: { maxlength: 60 } },
          ),
        textAreaField(
          `${prefix}.text`,
          translations(noticeKind === 'joined' ? 'manage.joined' : 'manage.text'),
          ownWording.text,
          set('text'),
          { hint: translations('manage.text.form') },
        ),
        createElement(
          'p',
          { class: 'soft', translate: 'no' },
          (noticeKind === 'joined' ? JOINED_PLACEHOLDERS : PLACEHOLDERS).join(' '),
        ),
      ),
      createElement(
        'div',
        { class: 'card' },
        setText(createElement('h3'), 'manage.preview'),
        view,
        order,
      ),
    ),
  ];
}

const PLACEHOLDERS = [
  '{site}',
  '{queue}',
  '{number}',
  '{counter}',
  '{time}',
  '{ahead}',
  '{wait}',
  '{until}',
  '{places}',
  '{news}',
];
const JOINED_PLACEHOLDERS = ['{site}', '{queue}', '{number}', '{ahead}', '{wait}'];

/**
 * @param {{ template?: any, subscription?: any, text?: string }} preview
 * @param {string} name the site's
 */
function previewElements({ template, subscription, text: plain }, name) {
  const card = message =>
    message &&
    createElement(
      'div',
      { class: 'message-card' },
      createElement('strong', {}, message.title || name),
      createElement(
        'dl',
        {},
        message.lines.flatMap(line => [
          createElement('dt', {}, line.label),
          createElement('dd', {}, line.text),
        ]),
      ),
    );
  const shown = [
    card(template),
    card(subscription),
    plain && createElement('p', { class: 'bubble' }, plain),
  ].filter(Boolean);
  if (!shown.length) return [createElement('p', {}, translations('manage.silent')[0])];
  return [createElement('p', { class: 'who' }, name), ...shown];
}

/** @param {SectionContext} context */
function posters({ saved, id }) {
  const link = (queue, name) => {
    const path = `/poster/${[id, queue].filter(Boolean).map(encodeURIComponent).join('/')}`;
    const element = createElement('a', { class: 'button', href: path, target: '_blank' });
    if (name) element.append(createElement('span', { lang: languageOf(name) }, name));
    else setText(element, 'manage.posters.all');
    return element;
  };
  return [
    ...heading('manage.posters'),
    createElement(
      'div',
      { class: 'card' },
      createElement(
        'div',
        { class: 'links wide' },
        link(null, null),
        entriesOf(saved.queues).map(([queue, { name }]) => link(queue, name)),
      ),
    ),
  ];
}

/**
 * The latest changes of the settings.
 * @param {SectionContext} context
 */
function history({ id, withAuth }) {
  const list = createElement(
    'ul',
    { class: 'rows' },
    setText(createElement('li'), 'manage.loading'),
  );
  const format = value => {
    if (value === null) return '—';
    return typeof value === 'string' ? value : JSON.stringify(value);
  };
  const row = ({ at, by, did, changed }) =>
    createElement(
      'li',
      {},
      createElement('strong', {}, textElement(`manage.did.${did}`, { by })),
      createElement(
        'time',
        { class: 'soft', datetime: new Date(at).toISOString() },
        formatDateTime(at),
      ),
      ...changed
        .slice(0, 12)
        .map(({ key, before, after }) =>
          createElement(
            'code',
            { lang: 'en' },
            `${key}: `,
            createElement('del', {}, format(before)),
            ' → ',
            format(after),
          ),
        ),
    );
  fetchJson(`/api/v1/book/changes?site=${encodeURIComponent(id)}&limit=50`, withAuth({})).then(
    ({ changes }) => {
      list.replaceChildren(
        ...(changes.length ? changes.map(row) : [setText(createElement('li'), 'manage.unchanged')]),
      );
    },
    error => list.replaceChildren(setTextPair(createElement('li'), error.texts)),
  );
  return [...heading('manage.history'), createElement('div', { class: 'card' }, list)];
}

/** @type {Record<string, (context: SectionContext) => (HTMLElement | false)[]>} */
export const SECTIONS = { site, queues, words, posters, history };

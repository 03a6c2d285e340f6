// Section of the WeChat account: its callbacks, texts and words, other systems, and templates.
/** @import { SectionContext } from '../../shared/types' */
import { createElement } from '../../shared/dom.js';
import { translations, setText } from '../../shared/language.js';
import { callbackFaultsCard } from './callback-faults.js';
import { checkboxField, linesField, selectField, textAreaField, textField } from './fields.js';

const ACTIONS = ['my_ticket', 'leave', 'let_pass', 'return', 'take'];
const TARGET_PARTS = 3; // name, classes and address, and behind them the beginnings

/**
 * An action of a word as the page writes it: its name, `SITE/QUEUE`, or a text in quotes.
 * @param {string | { queue?: string, text?: string }} action
 */
function actionText(action) {
  if (typeof action === 'string') return action;
  return action.queue ?? JSON.stringify(action.text ?? '');
}

/** @param {string} text */
function parseAction(text) {
  if (ACTIONS.includes(text)) return text;
  if (/^[^\s/"]+\/[^\s/"]+$/.test(text)) return { queue: text };
  return { text: text.replace(/^"(.*)"$/s, '$1').replaceAll('\\n', '\n') };
}

/** Splits a line at its first equals sign. */
const pair = line => {
  const [key, value] = line.split(/\s*=\s*(.*)/s);
  return [key, value ?? ''];
};

const targetLine = ({ name, pushes, url, begins = [] }) =>
  [name, pushes.join(','), url, ...begins].join(' ');

/** @param {string} line */
function parseTarget(line) {
  const [name = '', pushes = '', url = ''] = line.split(/\s+/);
  const begins = line.split(/\s+/).slice(TARGET_PARTS);
  const target = { name, url, pushes: pushes.split(',').filter(Boolean) };
  return begins.length ? { ...target, begins } : target;
}

/**
 * Card of the words, of human customer service and of other systems.
 * @param {any} draft
 * @param {(name: string) => (value: any) => void} set
 */
function wordsCard(draft, set) {
  const words = Object.entries(draft.keywords).map(
    ([word, action]) => `${word} = ${actionText(action)}`,
  );
  const setWords = lines =>
    set('keywords')(
      Object.fromEntries(lines.map(pair).map(([word, action]) => [word, parseAction(action)])),
    );
  return createElement(
    'div',
    { class: 'card' },
    setText(createElement('h3'), 'manage.keywords.title'),
    linesField('keywords', translations('manage.keywords'), words, setWords, {
      hint: translations('manage.keywords.form'),
    }),
    checkboxField(
      translations('manage.usual-words'),
      draft.usual_words ?? true,
      set('usual_words'),
    ),
    selectField(
      'codes',
      translations('manage.codes'),
      draft.codes ?? 'wechat',
      [
        ['wechat', translations('manage.codes.wechat')],
        ['page', translations('manage.codes.page')],
      ],
      set('codes'),
    ),
    checkboxField(translations('manage.service'), draft.customer_service != null, on =>
      set('customer_service')(on ? (draft.customer_service ?? {}) : null),
    ),
    textField(
      'customer_service.kf_account',
      translations('manage.service.account'),
      draft.customer_service?.kf_account,
      account => set('customer_service')(account ? { kf_account: account } : {}),
      { hint: translations('manage.service.form') },
    ),
    linesField(
      'forward',
      translations('manage.forward'),
      (draft.forward ?? []).map(targetLine),
      lines => set('forward')(lines.map(parseTarget)),
      { hint: translations('manage.forward.form') },
    ),
  );
}

/**
 * Section of the account: what became of its callbacks, its answers, and the ids and fields of its
 * templates.
 * @param {SectionContext} context
 */
export function section({ account: draft, draft: site, changed }) {
  const set = name => value => {
    if (value == null) delete draft[name];
    else draft[name] = value;
    changed();
  };
  const kinds = ['called', 'missed', 'progress'].map(kind => {
    const template = draft[kind] || { template_id: '', fields: {} };
    const setTemplate = name => value => {
      template[name] = value;
      if (value == null) delete template[name];
      draft[kind] = template;
      changed();
    };
    const rows = Object.entries(template.fields).map(([key, wording]) => `${key} = ${wording}`);
    const fields = value => setTemplate('fields')(Object.fromEntries(value.map(pair)));
    const setPage = name => value => {
      const page = { appid: '', pagepath: '', ...template.miniprogram, [name]: value.trim() };
      setTemplate('miniprogram')(page.appid || page.pagepath ? page : null);
    };
    return createElement(
      'div',
      { class: 'card' },
      setText(createElement('h3'), `manage.account.${kind}`),
      textField(
        `${kind}.template_id`,
        translations('manage.template'),
        template.template_id,
        setTemplate('template_id'),
        { wide: true, attributes: { spellcheck: 'false' } },
      ),
      linesField(`${kind}.fields`, translations('manage.fields'), rows, fields, {
        hint: translations('manage.fields.form'),
      }),
      textField(
        `${kind}.miniprogram.appid`,
        translations('manage.miniprogram'),
        template.miniprogram?.appid,
        setPage('appid'),
        { hint: translations('manage.miniprogram.form'), attributes: { spellcheck: 'false' } },
      ),
      textField(
        `${kind}.miniprogram.pagepath`,
        translations('manage.pagepath'),
        template.miniprogram?.pagepath,
        setPage('pagepath'),
        { hint: translations('manage.pagepath.form'), attributes: { spellcheck: 'false' } },
      ),
      textAreaField(
        `${kind}.text`,
        translations('manage.text'),
        template.text,
        setTemplate('text'),
      ),
    );
  });
  return [
    callbackFaultsCard(site.account),
    createElement(
      'div',
      { class: 'card' },
      textAreaField('greeting', translations('manage.greeting'), draft.greeting, set('greeting')),
      textAreaField('failure', translations('manage.failure'), draft.failure, set('failure')),
    ),
    wordsCard(draft, set),
    ...kinds,
  ];
}

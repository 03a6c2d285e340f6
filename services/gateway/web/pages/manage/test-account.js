// Way with WeChat's test account: what to do there, and the templates to paste.
import './test-account-words.js';
import { createElement } from '../../shared/dom.js';
import { setText, textElement, translations } from '../../shared/language.js';
import { actionButton } from './access.js';
import { copyField } from './copy.js';

const TEST_ACCOUNTS = 'https://mp.weixin.qq.com/debug/cgi-bin/sandbox?t=sandbox/login';

/**
 * Fields of the templates to paste: what each says, and its key. The keys are types of WeChat's
 * library with a number, so that the fields are filled as a real account's are.
 * @type {Record<'called' | 'missed' | 'progress', [string, string][]>}
 */
const FIELDS = {
  called: [
    ['site', 'thing1'],
    ['number', 'character_string2'],
    ['counter', 'thing3'],
    ['time', 'time4'],
  ],
  missed: [
    ['site', 'thing1'],
    ['number', 'character_string2'],
    ['note', 'thing3'],
  ],
  progress: [
    ['site', 'thing1'],
    ['number', 'character_string2'],
    ['state', 'thing3'],
    ['ahead', 'short_thing4'],
    ['wait', 'short_thing5'],
  ],
};

/** @param {[string, string]} field */
const templateLine = ([label, key]) =>
  `${translations(`test-account.label.${label}`).join(' ')}：{{${key}.DATA}}`;

/** @param {'called' | 'missed' | 'progress'} kind */
function templateFields(kind) {
  return createElement(
    'div',
    { class: 'template', 'data-template': kind },
    textElement(`test-account.${kind}`, {}, 'h4'),
    copyField(
      `${kind}.title`,
      translations('test-account.title'),
      translations(`test-account.${kind}.title`).join(' '),
    ),
    copyField(
      `${kind}.content`,
      translations('test-account.content'),
      FIELDS[kind].map(templateLine).join('\n'),
    ),
  );
}

/**
 * Creates the part of the form.
 * @param {() => void} choosePlain chooses what a test account needs
 */
export function testAccountGuide(choosePlain) {
  const plain = actionButton('test-account.plain', async () => {
    choosePlain();
    setText(plain, 'test-account.plain.done');
  });
  const page = createElement('a', {
    class: 'button',
    href: TEST_ACCOUNTS,
    target: '_blank',
    rel: 'noopener noreferrer',
  });
  page.append(textElement('test-account.open.go'));
  const step = (key, ...more) => createElement('li', {}, textElement(key, {}, 'p'), ...more);
  return createElement(
    'details',
    { class: 'test-account' },
    textElement('test-account', {}, 'summary'),
    setText(createElement('p', { class: 'soft' }), 'test-account.lead'),
    createElement(
      'ol',
      { class: 'numbered' },
      step('test-account.open', page),
      step('test-account.copy', plain),
      step('test-account.config'),
      step('test-account.follow'),
      step(
        'test-account.templates',
        ...['called', 'missed', 'progress'].map(kind =>
          templateFields(/** @type {'called' | 'missed' | 'progress'} */ (kind)),
        ),
      ),
    ),
    textElement('test-account.differs', {}, 'h4'),
    createElement(
      'ul',
      { class: 'rows' },
      ['plain', 'limits', 'followers', 'unsure'].map(what =>
        textElement(`test-account.differs.${what}`, {}, 'li'),
      ),
    ),
  );
}

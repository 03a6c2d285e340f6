// Lines of a chat: messages sent, replies, cards, and notes of WeChat itself.
import { formatTime, createElement } from './dom.js';
import { textElement, languageOf } from './language.js';

/** Link of a reply: to a page, or a choice, which sends its text in the person's name. */
function linkElement(href, label, phone) {
  if (!href.startsWith('weixin:'))
    return createElement('a', { href, target: '_blank', rel: 'noopener' }, label);
  const values = new URLSearchParams(href.split('?')[1]);
  const choose = () => phone.choose(values.get('msgmenucontent'), values.get('msgmenuid'));
  return createElement('button', { type: 'button', class: 'choice', onclick: choose }, label);
}

/** Text of a reply; of markup it may hold links only, as in WeChat. */
function linkedText(text, phone) {
  const parts = [];
  const link = /<a\s+href="((?:https?:|weixin:\/\/bizmsgmenu\?)[^"]+)"[^>]*>([^<]*)<\/a>/g;
  let from = 0;
  for (const found of text.matchAll(link)) {
    parts.push(text.slice(from, found.index));
    parts.push(linkElement(found[1], found[2], phone));
    from = found.index + found[0].length;
  }
  parts.push(text.slice(from));
  return parts;
}

const safeUrl = url => (/^https?:/.test(url) ? url : null);
const bubbleElement = (text, parts) =>
  createElement('p', { class: 'bubble', lang: languageOf(text) }, parts);
const languageElement = (tag, text) => createElement(tag, { lang: languageOf(text) }, text);

/** Face of a phone's owner, or of the account. */
export const faceElement = (name, color) =>
  createElement(
    'span',
    { class: `face ${color}`, 'aria-hidden': 'true', lang: languageOf(name) },
    name[0],
  );

/** Renders one line of a phone's chat. */
export function renderLine(line, phone, account) {
  const when = createElement(
    'time',
    { datetime: new Date(line.at).toISOString() },
    formatTime(line.at),
  );
  switch (line.kind) {
    case 'sent':
      return createElement(
        'div',
        { class: 'row mine' },
        createElement('div', {}, bubbleElement(line.text, line.text), when),
        faceElement(phone.name, phone.color),
      );
    case 'reply':
    case 'service':
      return createElement(
        'div',
        { class: 'row' },
        faceElement(account.name, 'account'),
        createElement('div', {}, bubbleElement(line.text, linkedText(line.text, phone)), when),
      );
    case 'notice':
    case 'card':
      return createElement(
        'div',
        { class: 'card' },
        languageElement('h3', line.title),
        createElement(
          'dl',
          {},
          line.fields.map(([label, value]) =>
            createElement(
              'div',
              {},
              languageElement('dt', label),
              createElement('dd', { lang: languageOf(value), translate: 'no' }, value),
            ),
          ),
        ),
        line.message?.miniprogram &&
          createElement(
            'small',
            {},
            textElement('miniprogram'),
            ` ${line.message.miniprogram.appid} ${line.message.miniprogram.pagepath}`,
          ),
        line.message?.url &&
          createElement(
            'a',
            { href: safeUrl(line.message.url), target: '_blank', rel: 'noopener' },
            textElement('details'),
            createElement('span', { 'aria-hidden': 'true' }, '›'),
          ),
        when,
      );
    case 'failure':
      return createElement(
        'p',
        { class: 'note failure', lang: languageOf(line.text) },
        line.text,
        createElement('br'),
        createElement('small', { lang: languageOf(line.reason) }, `（${line.reason}）`),
      );
    default:
      return createElement(
        'p',
        { class: 'note', lang: languageOf(line.text) },
        line.text,
        ' ',
        when,
      );
  }
}

// The lines of a chat: what was sent, replies, cards, and what WeChat itself says.
import { clock, make } from './make.js';
import { said, tongue } from './language.js';

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

const safe = url => (/^https?:/.test(url) ? url : null);
const bubble = (text, parts) => make('p', { class: 'bubble', lang: tongue(text) }, parts);
const written = (tag, text) => make(tag, { lang: tongue(text) }, text);

/** The face of a phone's owner, or of the account. */
export const face = (name, color) => make('span', { class: `face ${color}`, 'aria-hidden': 'true', lang: tongue(name) }, name[0]);

/** One line, as it stands in this phone. */
export function draw(line, phone, account) {
  const when = make('time', { datetime: new Date(line.at).toISOString() }, clock(line.at));
  switch (line.kind) {
    case 'sent':
      return make('div', { class: 'row mine' }, make('div', {}, bubble(line.text, line.text), when), face(phone.name, phone.color));
    case 'reply':
    case 'service':
      return make('div', { class: 'row' }, face(account.name, 'account'), make('div', {}, bubble(line.text, rich(line.text)), when));
    case 'notice':
    case 'card':
      return make('div', { class: 'card' },
        written('h3', line.title),
        make('dl', {}, line.fields.map(([label, value]) => make('div', {}, written('dt', label), make('dd', { lang: tongue(value), translate: 'no' }, value)))),
        line.message?.url && make('a', { href: safe(line.message.url), target: '_blank', rel: 'noopener' }, said('details'), make('span', { 'aria-hidden': 'true' }, '›')),
        when);
    case 'failure':
      return make('p', { class: 'note failure', lang: tongue(line.text) }, line.text, make('br'), make('small', { lang: tongue(line.reason) }, `（${line.reason}）`));
    default:
      return make('p', { class: 'note', lang: tongue(line.text) }, line.text, ' ', when);
  }
}

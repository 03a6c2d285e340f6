// Problems of settings in the words of a reader: each in both languages.
/** @import { SettingsProblem, Texts } from '../../shared/types' */
import './problem-words.js';
import { hasTranslation, translations } from '../../shared/language.js';

/**
 * Sentences that the server composes, by what they look like, with the words for them.
 * @type {[RegExp, string][]}
 */
const COMPOSED = [
  [/^use (?<low>\d+) to (?<high>\d+)$/, 'problem.use-range'],
  [/^(?<value>\S+) is out of range$/, 'problem.out-of-range'],
  [/^(?<value>\S+) is not an hour$/, 'problem.not-an-hour'],
  [/^there is no time zone (?<value>.+)$/, 'problem.no-zone'],
  [/^use a name like Asia\/Shanghai$/, 'problem.use-zone'],
  [/^(?<value>\d+) characters are no name that people can read$/, 'problem.no-name'],
  [/^"(?<value>.*)" cannot stand in an address$/, 'problem.no-id'],
  [/^use 1 to 24 of a-z, 0-9 and -$/, 'problem.use-id'],
  [/^"(?<value>.*)" does not read well in front of a number$/, 'problem.no-prefix'],
  [/^use one to three letters A to Z, but neither I nor O$/, 'problem.use-prefix'],
];

/**
 * Both texts of a sentence of the server. One that is not known is the same in both.
 * @param {string} sentence
 * @returns {Texts}
 */
function textsOf(sentence) {
  // A contradiction between settings is told in both languages.
  const pair = sentence.match(
    /^(?<zh>[^/]*[\u3400-\u9fff][^/]*) \/ (?<en>.*?)(?<about> \(.*\))?$/s,
  );
  if (pair?.groups) {
    const { zh, en, about = '' } = pair.groups;
    return [zh + about, en + about];
  }
  for (const [pattern, key] of COMPOSED) {
    const found = sentence.match(pattern);
    if (found) return translations(key, found.groups);
  }
  return [sentence, sentence];
}

/**
 * What is wrong, and what to do about it.
 * @param {SettingsProblem} problem
 * @returns {Texts}
 */
export function problemTexts({ what, advice, code }) {
  const wrong = textsOf(what);
  if (!advice) return wrong;
  const mend =
    code && hasTranslation(`advice.${code}`) ? translations(`advice.${code}`) : textsOf(advice);
  return /** @type {Texts} */ (wrong.map((text, i) => `${text} → ${mend[i]}`));
}

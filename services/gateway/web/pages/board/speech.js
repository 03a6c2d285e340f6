// Queue of sentences for the browser's speech. What is seen never waits for what is spoken.
/** @import { CallView, QueueView } from '../../shared/types' */
import { translations } from '../../shared/language.js';

const UTTERANCE_TIMEOUT_MS = 15000; // for browsers that never report the end
/** @type {Record<string, string>} */
const TAGS = { zh: 'zh-CN', en: 'en-US' };
const ZH = '零一二三四五六七八九';
const EN = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];

/**
 * A number digit by digit: in Chinese "A零一二", with yāo for one if wished; in English with words.
 * @param {string} number
 * @param {string} language
 */
export function spelled(number, language, yao = false) {
  /** @param {string} digit */
  const sound = digit =>
    language === 'en' ? EN[Number(digit)] : digit === '1' && yao ? '幺' : ZH[Number(digit)];
  return [...number]
    .map(sign => (/\d/.test(sign) ? sound(sign) : sign))
    .join(language === 'en' ? ' ' : '');
}

/**
 * A counter's name as it is spoken, or `null` where the language has no words for it.
 * @param {string} name
 * @param {string} language
 */
function spokenCounter(name, language) {
  if (language === 'zh')
    return name.replace(/\d+/g, digits => (digits.length === 1 ? ZH[Number(digits)] : digits));
  const hasChinese = /[\u3400-\u9fff]/.test(name);
  if (!hasChinese) return name;
  const number = name.match(/\d+/);
  return number && translations('voice.counter', { number: number[0] })[1];
}

/**
 * Announcement of a call in one language: the queue's own script if it has one, else the usual.
 * @param {CallView} call
 * @param {QueueView | undefined} queue
 * @param {'zh' | 'en' | string} language
 * @param {boolean} yao
 */
export function sentence(call, queue, language, yao) {
  const isEnglish = language === 'en';
  const counterName = (isEnglish && call.counter_name_en) || call.counter_name;
  const counter = spokenCounter(counterName, language);
  /** @type {Record<string, string>} */
  const values = {
    number: spelled(call.number, language, yao),
    counter: counter || '',
    queue: (isEnglish && queue?.name_en) || queue?.name || '',
  };
  const script = queue?.announcement?.[/** @type {'zh' | 'en'} */ (language)];
  if (script) return script.replace(/\{(number|counter|queue)\}/g, (_, name) => values[name]);
  return translations(counter ? 'voice.call' : 'voice.screen', values)[isEnglish ? 1 : 0];
}

/** Number of announcements beyond which the oldest is left out. */
const MAX_PENDING = 10;
/** Number of announcements that wait, from which on only one language is spoken. */
const BEHIND = 2;

/**
 * Announcement: a sentence for each language, and whether it is still true when its turn comes.
 * @typedef {{ sentences: Record<string, string>, isCurrent: () => boolean }} Announcement
 */

/** Queue of announcements: each is spoken twice, and once while others wait. */
export class SpeechQueue {
  /**
   * @param {string[]} languages in the order in which they are spoken
   * @param {(audible: boolean) => void} onAudible reports whether the browser lets sound out
   */
  constructor(languages, onAudible) {
    this.languages = languages;
    this.onAudible = onAudible;
    /** @type {Announcement[]} */
    this.pending = [];
    this.busy = false;
    this.enabled = true;
    /** @type {SpeechSynthesisUtterance | null} */
    this.current = null;
  }

  static get supported() {
    return 'speechSynthesis' in window && 'SpeechSynthesisUtterance' in window;
  }

  /** @param {Announcement} announcement */
  add(announcement) {
    if (!this.enabled) return;
    this.pending.push(announcement);
    if (this.pending.length > MAX_PENDING) this.pending.shift();
    if (!this.busy) this.run();
  }

  /**
   * Empties the queue, and stops what is being spoken when it is switched off.
   * @param {boolean} enabled
   */
  setEnabled(enabled) {
    this.enabled = enabled;
    this.pending = [];
    if (!enabled) speechSynthesis.cancel();
  }

  async run() {
    this.busy = true;
    for (let next = this.take(); this.enabled && next; next = this.take()) {
      const isBehind = this.pending.length >= BEHIND;
      await this.speak(next, isBehind ? this.languages.slice(0, 1) : this.languages);
      if (this.enabled && this.pending.length === 0) await this.speak(next, this.languages);
    }
    this.busy = false;
  }

  /** Takes the next announcement that is still true. */
  take() {
    while (this.pending.length > 0) {
      const next = this.pending.shift();
      if (next?.isCurrent()) return next;
    }
  }

  /**
   * @param {Announcement} announcement
   * @param {string[]} languages
   */
  async speak({ sentences, isCurrent }, languages) {
    for (const language of languages)
      if (this.enabled && isCurrent()) await this.utter(sentences[language], language);
  }

  /**
   * @param {string} text
   * @param {string} language
   * @returns {Promise<void>} resolved when it was spoken
   */
  utter(text, language) {
    return new Promise(resolve => {
      const utterance = new SpeechSynthesisUtterance(text);
      const voices = speechSynthesis.getVoices();
      utterance.lang = TAGS[language];
      utterance.voice =
        voices.find(voice => voice.lang.replace('_', '-').startsWith(language)) || null;
      utterance.rate = 0.9;
      const timeout = setTimeout(() => {
        speechSynthesis.cancel();
        resolve();
      }, UTTERANCE_TIMEOUT_MS);
      const done = () => {
        clearTimeout(timeout);
        resolve();
      };
      utterance.onstart = () => this.onAudible(true);
      utterance.onend = done;
      utterance.onerror = event => {
        if (event.error === 'not-allowed') this.onAudible(false);
        done();
      };
      this.current = utterance; // some browsers drop an utterance that nothing refers to
      speechSynthesis.speak(utterance);
    });
  }
}

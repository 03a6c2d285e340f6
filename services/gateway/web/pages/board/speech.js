// Calls read aloud by the browser's own speech, in a line of their own: what is seen never waits
// for what is heard.
import { pair } from './language.js';

const SILENT_MS = 15000; // an utterance of which nothing is heard so long is over
const TAGS = { zh: 'zh-CN', en: 'en-US' };
const ZH = '零一二三四五六七八九';
const EN = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];

/** A number digit by digit: in Chinese "A零一二", with yāo for one if wished; in English with words. */
export function spelled(number, language, yao = false) {
  const sound = digit => (language === 'en' ? EN[digit] : digit === '1' && yao ? '幺' : ZH[digit]);
  return [...number].map(sign => (/\d/.test(sign) ? sound(sign) : sign)).join(language === 'en' ? ' ' : '');
}

/** A counter's name as it is said, or null where this language has no words for it. */
function place(name, language) {
  if (language === 'zh') return name.replace(/\d+/g, digits => (digits.length === 1 ? ZH[digits] : digits));
  const foreign = /[\u3400-\u9fff]/.test(name);
  if (!foreign) return name;
  const number = name.match(/\d+/);
  return number && pair('voice.counter', { number: number[0] })[1];
}

/** What is said of a call in one language: the queue's own script if it has one, else the usual. */
export function sentence(call, queue, language, yao) {
  const counter = place(call.counter_name, language);
  const values = { number: spelled(call.number, language, yao), counter: counter || '', queue: queue ? queue.name : '' };
  const own = queue && queue.announcement && queue.announcement[language];
  if (own) return own.replace(/\{(number|counter|queue)\}/g, (_, name) => values[name]);
  return pair(counter ? 'voice.call' : 'voice.screen', values)[language === 'en' ? 1 : 0];
}

/** Reads calls, each twice; once while others wait. `heard` is told whether sound gets out. */
export class Voice {
  constructor(languages, heard) {
    Object.assign(this, { languages, heard, line: [], busy: false, on: true });
  }

  /** Whether this browser can speak at all. */
  static get possible() {
    return 'speechSynthesis' in window && 'SpeechSynthesisUtterance' in window;
  }

  /** Puts a call, as a sentence for each language, at the end of the line. */
  call(sentences) {
    if (!this.on) return;
    this.line.push(sentences);
    if (!this.busy) this.next();
  }

  /** Nothing more is said, or from now on again. */
  turn(on) {
    this.on = on;
    this.line = [];
    if (!on) speechSynthesis.cancel();
  }

  async next() {
    this.busy = true;
    while (this.on && this.line.length) {
      const sentences = this.line.shift();
      await this.round(sentences);
      if (this.on && this.line.length === 0) await this.round(sentences);
    }
    this.busy = false;
  }

  async round(sentences) {
    for (const language of this.languages) if (this.on) await this.utter(sentences[language], language);
  }

  utter(text, language) {
    return new Promise(over => {
      const words = new SpeechSynthesisUtterance(text);
      words.lang = TAGS[language];
      words.voice = speechSynthesis.getVoices().find(voice => voice.lang.replace('_', '-').startsWith(language)) || null;
      words.rate = 0.9;
      const silent = setTimeout(() => { speechSynthesis.cancel(); over(); }, SILENT_MS);
      const done = () => { clearTimeout(silent); over(); };
      words.onstart = () => this.heard(true);
      words.onend = done;
      words.onerror = event => {
        if (event.error === 'not-allowed') this.heard(false);
        done();
      };
      this.words = words; // some browsers forget an utterance that nobody holds
      speechSynthesis.speak(words);
    });
  }
}

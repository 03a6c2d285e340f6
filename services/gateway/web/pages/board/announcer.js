// Spoken announcements of the board: their languages, and the buttons that switch them on where a
// browser stays silent until it is touched.
/** @import { CallView, SiteView } from '../../shared/types' */
import { byId } from '../../shared/dom.js';
import { setText, translation } from '../../shared/language.js';
import { SpeechQueue, sentence } from './speech.js';

const STORAGE_KEY = 'paihao.board.voice';
const VOICES_MS = 3000; // time in which a browser loads its voices

// ?voice=zh, en, zh,en (the default) or off; &one=yao reads 1 as yāo.
const parameters = new URLSearchParams(location.search);
const languages = (parameters.get('voice') || 'zh,en')
  .split(',')
  .filter(language => ['zh', 'en'].includes(language));
const readsOneAsYao = parameters.get('one') === 'yao';
const speech =
  SpeechQueue.supported && languages.length ? new SpeechQueue(languages, onAudible) : null;

/** @type {SiteView | null} the latest state */
let site = null;

/**
 * Takes over a state, by which it is seen what is still true.
 * @param {SiteView} state
 */
export function setSite(state) {
  site = state;
}

/**
 * Reads a call aloud, if the board speaks: not once the person is no longer expected.
 * @param {CallView} call
 */
export function announceCall(call) {
  if (!speech) return;
  const queue = site?.queues.find(({ id }) => id === call.queue);
  const isCurrent = () =>
    Boolean(
      site?.counters.some(
        ({ id, serving }) => id === call.counter && serving?.number === call.number,
      ),
    );
  const sentences = Object.fromEntries(
    languages.map(language => [language, sentence(call, queue, language, readsOneAsYao)]),
  );
  speech.add({ sentences, isCurrent });
}

/** @param {boolean} audible */
function onAudible(audible) {
  byId('unlock').hidden = audible || !speech?.enabled;
}

/** @param {boolean} enabled */
function setEnabled(enabled) {
  speech?.setEnabled(enabled);
  byId('voice').setAttribute('aria-pressed', String(enabled));
  byId('unlock').hidden = true;
  try {
    localStorage.setItem(STORAGE_KEY, enabled ? 'on' : 'off');
  } catch {
    /* a browser without storage */
  }
}

function storedAsOff() {
  try {
    return localStorage.getItem(STORAGE_KEY) === 'off';
  } catch {
    return false; // a browser without storage
  }
}

function sayReady() {
  const language = document.documentElement.lang.startsWith('zh') ? 'zh' : 'en';
  speech?.utter(translation('voice.ready'), language);
}

if (speech) {
  speech.enabled = !storedAsOff();
  byId('voice').hidden = false;
  byId('voice').setAttribute('aria-pressed', String(speech.enabled));
  byId('voice').addEventListener('click', () => {
    setEnabled(!speech.enabled);
    if (speech.enabled) sayReady();
  });
  byId('unlock').addEventListener('click', () => {
    byId('unlock').hidden = true;
    sayReady();
  });
  onAudible(Boolean(navigator.userActivation?.hasBeenActive));
  // Some browsers load their voices after the page.
  setTimeout(showMissingVoices, VOICES_MS);
  speechSynthesis.addEventListener?.('voiceschanged', showMissingVoices);
} else if (languages.length) {
  showMissingVoices();
}

/** Says in the strip which languages this machine cannot speak. */
function showMissingVoices() {
  const voices = SpeechQueue.supported ? speechSynthesis.getVoices() : [];
  const missing = languages.filter(
    language => !voices.some(({ lang }) => lang.toLowerCase().startsWith(language)),
  );
  const strip = byId('voiceless');
  if (!strip) return; // an error has taken the page's place
  strip.hidden = missing.length === 0;
  if (missing.length === 1) setText(strip, `board.voiceless.${missing[0]}`);
  if (missing.length === 2) setText(strip, 'board.voiceless');
}

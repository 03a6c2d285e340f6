// The board's voice: in which languages it calls, and how it is switched on where a browser wants to
// be touched first.
import { byId } from './paihao.js';
import { word } from './language.js';
import { Voice, sentence } from './voice.js';

const KEPT = 'paihao.board.voice';

// ?voice=zh, en, zh,en (as it is without) or off; &one=yao reads 1 as yāo.
const wishes = new URLSearchParams(location.search);
const languages = (wishes.get('voice') || 'zh,en').split(',').filter(language => ['zh', 'en'].includes(language));
const yao = wishes.get('one') === 'yao';
const voice = Voice.possible && languages.length ? new Voice(languages, heard) : null;

/** Reads a call aloud, if the board has a voice. */
export function speak(call, state) {
  if (!voice) return;
  const queue = state.queues.find(one => one.id === call.queue);
  voice.call(Object.fromEntries(languages.map(language => [language, sentence(call, queue, language, yao)])));
}

function heard(out) {
  byId('unlock').hidden = out || !voice.on;
}

function turn(on) {
  voice.turn(on);
  byId('voice').setAttribute('aria-pressed', String(on));
  byId('unlock').hidden = true;
  try {
    localStorage.setItem(KEPT, on ? 'on' : 'off');
  } catch { /* a browser that keeps nothing */ }
}

function ready() {
  voice.utter(word('voice.ready'), document.documentElement.lang.startsWith('zh') ? 'zh' : 'en');
}

if (voice) {
  let off = false;
  try {
    off = localStorage.getItem(KEPT) === 'off';
  } catch { /* a browser that keeps nothing */ }
  voice.on = !off;
  byId('voice').hidden = false;
  byId('voice').setAttribute('aria-pressed', String(voice.on));
  byId('voice').addEventListener('click', () => {
    turn(!voice.on);
    if (voice.on) ready();
  });
  byId('unlock').addEventListener('click', () => {
    byId('unlock').hidden = true;
    ready();
  });
  heard(Boolean(navigator.userActivation && navigator.userActivation.hasBeenActive));
}

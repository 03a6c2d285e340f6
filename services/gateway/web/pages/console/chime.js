// The sound of somebody joining an empty line, and its unlocking: a browser is silent until touched.
import { byId } from './paihao.js';

const KEPT = 'paihao.console.sound';
const NOTES = [[660, 0], [880, 0.18]]; // hertz, and seconds from the beginning

let sounds = null;
let on = true;
try {
  on = localStorage.getItem(KEPT) !== 'off';
} catch { /* a browser that keeps nothing */ }

const possible = 'AudioContext' in window;
const unlocked = () => sounds !== null && sounds.state === 'running';

function show() {
  byId('sound').hidden = !possible;
  byId('sound').setAttribute('aria-pressed', String(on));
  byId('unlock').hidden = !possible || !on || unlocked();
}

async function unlock() {
  // A script's click is nobody's touch, and the browser would complain of the attempt.
  if (!possible || !on || navigator.userActivation?.hasBeenActive === false) return;
  try {
    sounds ??= new AudioContext();
    if (sounds.state !== 'running') await sounds.resume();
  } catch { /* the strip stays */ }
  show();
}

/** Two notes, if sound is on and may be heard. */
export function ring() {
  if (!on || !unlocked()) return;
  for (const [hertz, after] of NOTES) {
    const begin = sounds.currentTime + after;
    const [tone, loudness] = [sounds.createOscillator(), sounds.createGain()];
    tone.frequency.value = hertz;
    loudness.gain.setValueAtTime(0.25, begin);
    loudness.gain.exponentialRampToValueAtTime(0.001, begin + 0.5);
    tone.connect(loudness).connect(sounds.destination);
    tone.start(begin);
    tone.stop(begin + 0.5);
  }
}

/** Switches it off and on; the browser remembers. */
export async function turn() {
  on = !on;
  try {
    localStorage.setItem(KEPT, on ? 'on' : 'off');
  } catch { /* a browser that keeps nothing */ }
  show();
  await unlock();
  ring();
}

let listening = false;

/** Any click or key of the person unlocks it; not before the click is over, for the strip moves the page. */
export function listen() {
  show();
  if (listening) return;
  listening = true;
  for (const touch of ['click', 'keydown']) document.addEventListener(touch, () => { if (!unlocked()) unlock(); });
  byId('sound').addEventListener('click', turn);
}

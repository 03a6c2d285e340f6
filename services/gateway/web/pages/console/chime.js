// Chime for somebody who joins an empty queue. A browser stays silent until it is touched, so the page
// shows a strip that unlocks the sound.
import { byId } from '../../shared/dom.js';

const STORAGE_KEY = 'paihao.console.sound';
/** Hertz, and seconds from the beginning. */
const NOTES = [
  [660, 0],
  [880, 0.18],
];

/** @type {AudioContext | null} */
let audio = null;
let enabled = true;
try {
  enabled = localStorage.getItem(STORAGE_KEY) !== 'off';
} catch {
  /* a browser without storage */
}

const supported = 'AudioContext' in window;
const isUnlocked = () => audio !== null && audio.state === 'running';

function renderButtons() {
  const isLocked = enabled && !isUnlocked();
  // One stands for the other, so that the head of the page keeps its lines.
  byId('unlock').hidden = !supported || !isLocked;
  byId('sound').hidden = !supported || isLocked;
  byId('sound').setAttribute('aria-pressed', String(enabled));
}

async function unlock() {
  // A click by a script is no touch, and the browser would log a complaint.
  if (!supported || !enabled || navigator.userActivation?.hasBeenActive === false) return;
  try {
    audio ??= new AudioContext();
    if (audio.state !== 'running') await audio.resume();
  } catch {
    /* the strip stays */
  }
  renderButtons();
}

/** Plays two notes, if the sound is on and unlocked. */
export function playChime() {
  if (!enabled || !isUnlocked()) return;
  for (const [hertz, delay] of NOTES) {
    const start = audio.currentTime + delay;
    const [oscillator, gain] = [audio.createOscillator(), audio.createGain()];
    oscillator.frequency.value = hertz;
    gain.gain.setValueAtTime(0.25, start);
    gain.gain.exponentialRampToValueAtTime(0.001, start + 0.5);
    oscillator.connect(gain).connect(audio.destination);
    oscillator.start(start);
    oscillator.stop(start + 0.5);
  }
}

/** Switches the sound off or on; the browser stores the choice. */
export async function toggleSound() {
  enabled = !enabled;
  try {
    localStorage.setItem(STORAGE_KEY, enabled ? 'on' : 'off');
  } catch {
    /* a browser without storage */
  }
  renderButtons();
  await unlock();
  playChime();
}

let isSetUp = false;

/** Unlocks the sound at any click or key; after the click, since the strip's end moves the page. */
export function setUpSound() {
  renderButtons();
  if (isSetUp) return;
  isSetUp = true;
  for (const type of ['click', 'keydown']) {
    document.addEventListener(type, () => {
      if (!isUnlocked()) unlock();
    });
  }
  byId('sound').addEventListener('click', toggleSound);
}

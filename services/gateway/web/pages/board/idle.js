// Controls and strips that fade away while nobody touches the board.

const IDLE_MS = 20000;

/** Marks the page as idle until somebody moves or presses something. */
export function hideWhileIdle() {
  let timer = 0;
  const wake = () => {
    clearTimeout(timer);
    document.body.classList.remove('idle');
    timer = setTimeout(() => document.body.classList.add('idle'), IDLE_MS);
  };
  for (const event of ['pointermove', 'pointerdown', 'keydown', 'focusin']) {
    addEventListener(event, wake, { passive: true });
  }
  wake();
}

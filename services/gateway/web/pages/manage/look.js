// Section of the look of a site's pages: its logo and its colour.
/** @import { SectionContext } from '../../shared/types' */
import './look-words.js';
import { fetchJson, newIdempotencyKey } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { setText, setTextPair, textElement, translations } from '../../shared/language.js';
import { confirmButton, statusLine } from './access.js';
import { checkboxField, field } from './fields.js';

/** Longer sides of the picture that are tried, the largest first, and what a logo may take. */
const SIDES = [512, 384, 256, 192, 128, 96];
const MAX_BYTES = 40_000;
const USUAL_COLOUR = '#0b6b52';
const READ_DELAY_MS = 200; // while a colour is being chosen

/**
 * Picture of a file, as the browser shows it. A script within it does not run.
 * @param {File} file
 * @returns {Promise<HTMLImageElement>}
 */
function loadPicture(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    const image = new Image();
    image.onload = () => (image.naturalWidth ? resolve(image) : reject(new Error('no size')));
    image.onerror = reject;
    reader.onerror = reject;
    reader.onload = () => {
      image.src = String(reader.result);
    };
    reader.readAsDataURL(file);
  });
}

/**
 * PNG of a picture that is small enough for every page; `null` if there is none.
 * @param {HTMLImageElement} image
 * @returns {Promise<Blob | null>}
 */
async function smallPng(image) {
  const { naturalWidth: width, naturalHeight: height } = image;
  for (const side of SIDES) {
    const scale = Math.min(1, side / Math.max(width, height));
    const canvas = createElement('canvas');
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const context = canvas.getContext('2d');
    if (!context) return null;
    context.imageSmoothingQuality = 'high';
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    /** @type {Blob | null} */
    const blob = await new Promise(resolve => canvas.toBlob(resolve, 'image/png'));
    if (blob && blob.size <= MAX_BYTES) return blob;
  }
  return null;
}

/** @param {SectionContext} context */
function logoCard({ id, withAuth }) {
  const path = `/api/v1/book/sites/${encodeURIComponent(id)}/logo`;
  const { line, showStatus, request } = statusLine();
  const shown = createElement('div', { class: 'logo-now' });
  /** @type {string | null} */
  let tag = null;
  const report = texts => showStatus('refused', setTextPair(createElement('strong'), texts));

  async function load() {
    try {
      const onResponse = response => {
        tag = response.headers.get('etag');
      };
      const { url, width, height } = await fetchJson(path, withAuth({ onResponse }));
      shown.replaceChildren(
        createElement(
          'span',
          { class: 'logo-plate' },
          createElement('img', { src: url, width, height, alt: '' }),
        ),
        textElement('look.logo.now', { width, height }),
        confirmButton('manage.remove', 'look.logo.sure', '', async () => {
          await request(path, { method: 'DELETE', headers: tag ? { 'if-match': tag } : {} });
          showStatus('done', textElement('look.logo.removed', {}, 'strong'));
          await load();
        }),
      );
    } catch (error) {
      if (error.code !== 'no_logo') return report(error.texts);
      tag = null;
      shown.replaceChildren(textElement('look.logo.none'));
    }
  }

  async function upload(file) {
    const image = await loadPicture(file).catch(() => null);
    if (!image) return report(translations('look.logo.unreadable'));
    const png = await smallPng(image);
    if (!png) return report(translations('look.logo.heavy'));
    try {
      const headers = {
        'content-type': 'image/png',
        'idempotency-key': newIdempotencyKey(),
        ...(tag && { 'if-match': tag }),
      };
      const options = withAuth({ method: 'PUT', body: png });
      await fetchJson(path, { ...options, headers: { ...options.headers, ...headers } });
      showStatus('done', textElement('look.logo.done', {}, 'strong'));
    } catch (error) {
      report(error.texts);
    }
    await load();
  }
  const file = createElement('input', { type: 'file', accept: 'image/*' });
  file.addEventListener('change', async () => {
    const [chosen] = file.files || [];
    if (chosen) await upload(chosen);
    file.value = '';
  });
  load();
  return createElement(
    'div',
    { class: 'card', id: 'logo-card' },
    setText(createElement('h3'), 'look.logo'),
    setText(createElement('p', { class: 'soft' }), 'look.logo.lead'),
    shown,
    field('logo', translations('look.logo.choose'), file),
    line,
  );
}

/** @param {SectionContext} context */
function colourCard({ draft, changed, withAuth }) {
  const colour = createElement('input', { type: 'color', value: draft.accent || USUAL_COLOUR });
  const said = createElement('ul', { class: 'rows', 'aria-live': 'polite' });
  const samples = createElement('div', { class: 'samples' });
  const shades = createElement(
    'div',
    { class: 'week-editor' },
    said,
    setText(createElement('p', { class: 'soft' }), 'look.preview'),
    samples,
  );
  let timer = 0;
  let requests = 0;
  const sample = (light, accent) => {
    const element = createElement(
      'div',
      { class: `sample on-${light}` },
      textElement(`look.preview.${light}`, {}, 'small'),
      textElement('look.preview.call', {}, 'span'),
      createElement('b', {}, 'A002'),
      textElement('look.preview.link', {}, 'u'),
    );
    element.style.setProperty('--sample', accent);
    return element;
  };
  const render = async () => {
    requests += 1;
    const request = requests;
    // The usual colour has shades that were chosen by hand.
    shades.hidden = !draft.accent;
    if (!draft.accent) return;
    const value = draft.accent.replace('#', '');
    const computed = await fetchJson(`/api/v1/book/accents/${value}`, withAuth({}));
    if (request !== requests) return;
    const rows = [];
    for (const light of ['light', 'dark']) {
      if (!computed[`${light}_corrected`]) continue;
      const values = {
        contrast: computed[`contrast_on_${light}`].toFixed(1),
        shade: computed[light],
      };
      rows.push(textElement(`look.colour.${light}`, values, 'li'));
    }
    said.replaceChildren(...(rows.length ? rows : [textElement('look.colour.fine', {}, 'li')]));
    samples.replaceChildren(sample('light', computed.light), sample('dark', computed.dark));
  };
  const renderSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(
      () => render().catch(error => setTextPair(said, error.texts)),
      READ_DELAY_MS,
    );
  };
  const which = field('accent', translations('look.colour.which'), colour);
  which.hidden = !draft.accent;
  colour.addEventListener('input', () => {
    draft.accent = colour.value;
    changed();
    renderSoon();
  });
  const own = checkboxField(translations('look.colour.own'), Boolean(draft.accent), on => {
    if (on) draft.accent = colour.value;
    else delete draft.accent;
    which.hidden = !on;
    changed();
    renderSoon();
  });
  render().catch(error => setTextPair(said, error.texts));
  return createElement(
    'div',
    { class: 'card', id: 'colour-card' },
    setText(createElement('h3'), 'look.colour'),
    setText(createElement('p', { class: 'soft' }), 'look.colour.lead'),
    own,
    which,
    shades,
  );
}

/**
 * @param {SectionContext} context
 * @returns {HTMLElement[]}
 */
export const section = context => [logoCard(context), colourCard(context)];

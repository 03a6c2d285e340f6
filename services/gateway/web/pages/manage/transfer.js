// Section of the export and import of settings.
/** @import { SectionContext } from '../../shared/types' */
import { fetchJson } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { translations, setText, textElement } from '../../shared/language.js';
import { field } from './fields.js';

/**
 * Section of the export and import of all settings as one file.
 * @param {SectionContext} context
 */
export function section({ withAuth, showStatus, reload }) {
  const exportButton = kind => {
    const button = textElement(`manage.export.${kind}`, {}, 'button');
    Object.assign(button, { type: 'button', className: 'ghost' });
    button.addEventListener('click', async () => {
      const response = await fetch(`/api/v1/book?format=${kind}`, withAuth({})).catch(() => null);
      if (!response?.ok) return showStatus('refused', translations('unreachable'));
      const link = createElement('a', {
        href: URL.createObjectURL(await response.blob()),
        download: `paihao-book.${kind}`,
      });
      link.click();
      return URL.revokeObjectURL(link.href);
    });
    return button;
  };
  const list = createElement('ul', { class: 'rows', lang: 'en' });
  const fileInput = createElement('input', { type: 'file', accept: '.toml,.json' });
  const importButton = textElement('manage.import.take', {}, 'button');
  Object.assign(importButton, { type: 'button', className: 'primary', hidden: true });
  const send = async query => {
    const [selected] = fileInput.files;
    const type = selected.name.endsWith('.json') ? 'application/json' : 'application/toml';
    return fetchJson(
      `/api/v1/book${query}`,
      withAuth({ method: 'PUT', body: await selected.text(), headers: { 'content-type': type } }),
    );
  };
  const renderChanges = ({ written }) =>
    list.replaceChildren(
      ...written.flatMap(({ of: kind, id, changed }) =>
        changed.map(({ key }) =>
          createElement('li', {}, createElement('code', {}, `${kind} ${id} ${key}`)),
        ),
      ),
    );
  fileInput.addEventListener('change', async () => {
    importButton.hidden = true;
    list.replaceChildren();
    if (!fileInput.files.length) return;
    try {
      const preview = await send('?dry_run=true');
      renderChanges(preview);
      importButton.hidden = preview.written.length === 0;
      showStatus(
        preview.written.length ? 'waiting' : 'done',
        translations(preview.written.length ? 'manage.import.would' : 'manage.import.same'),
      );
    } catch (error) {
      showStatus('refused', error.texts);
      list.replaceChildren(
        ...(error.problems || [{ key: '', what: error.detail }]).map(({ key, what, advice }) =>
          createElement(
            'li',
            {},
            createElement('code', {}, key),
            createElement('span', {}, `${what}${advice ? ` → ${advice}` : ''}`),
          ),
        ),
      );
    }
  });
  importButton.addEventListener('click', async () => {
    try {
      await send('');
      await reload();
      showStatus('done', translations('manage.saved'));
    } catch (error) {
      showStatus('refused', error.texts);
    }
  });
  return [
    createElement(
      'div',
      { class: 'card' },
      setText(createElement('h3'), 'manage.export'),
      createElement('div', { class: 'adding' }, exportButton('toml'), exportButton('json')),
    ),
    createElement(
      'div',
      { class: 'card' },
      setText(createElement('h3'), 'manage.import'),
      field('file', translations('manage.import.which'), fileInput),
      list,
      importButton,
    ),
  ];
}

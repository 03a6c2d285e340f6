// Section of API keys for the owner's programs: created, shown once, and revoked.
/** @import { SectionContext } from '../../shared/types' */
import { newIdempotencyKey } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { translations, textElement } from '../../shared/language.js';
import { field } from './fields.js';
import {
  statusLine,
  actionButton,
  confirmButton,
  scopeFields,
  nameElement,
  describeScope,
  concernsSite,
} from './access.js';

/** @param {SectionContext} context */
export function section({ id, draft }) {
  const { line, showStatus, request } = statusLine();
  const [keyList, formCard] = [
    createElement('ul', { class: 'rows', id: 'keys' }),
    createElement('div', { class: 'card', id: 'making' }),
  ];

  async function renderKeys() {
    const here = (await request('/api/v1/staff')).keys.filter(concernsSite(id));
    keyList.replaceChildren(
      ...(here.length
        ? here.map(key =>
            createElement(
              'li',
              { class: 'one' },
              createElement(
                'span',
                {},
                nameElement(key.name),
                ' ',
                createElement('code', { translate: 'no' }, key.id),
                ' · ',
                describeScope(key, draft, 'program'),
              ),
              confirmButton('access.revoke', 'access.revoke.sure', key.name, async () => {
                await request(`/api/v1/keys/${encodeURIComponent(key.id)}`, { method: 'DELETE' });
                showStatus('done', nameElement(key.name), ' ', textElement('access.revoked'));
                await renderKeys();
              }),
            ),
          )
        : [createElement('li', {}, textElement('access.no-keys'))]),
    );
  }

  /** @param {any} me the user */
  function renderForm(me) {
    const name = createElement('input', { maxlength: 40, autocomplete: 'off', required: true });
    const chosen = scopeFields({ id, draft, me, whole: 'program' });
    let idempotencyKey = newIdempotencyKey(); // until the request was answered
    const shown = createElement('div', { class: 'secret' });
    const createButton = actionButton(
      'access.make',
      async () => {
        if (!name.reportValidity()) return;
        let created;
        try {
          created = await request('/api/v1/keys', {
            method: 'POST',
            body: { name: name.value.trim(), ...chosen.chosen() },
            headers: { 'idempotency-key': idempotencyKey },
          });
        } catch (error) {
          if (!error.retryable) idempotencyKey = newIdempotencyKey();
          await renderKeys();
          throw error;
        }
        idempotencyKey = newIdempotencyKey();
        name.value = '';
        showStatus('');
        const secret = createElement('input', {
          readonly: true,
          value: created.key,
          class: 'made',
          lang: 'en',
          translate: 'no',
        });
        secret.addEventListener('focus', () => secret.select());
        shown.replaceChildren(
          field('made', translations('access.secret'), secret),
          createElement(
            'div',
            { class: 'adding' },
            actionButton('access.kept', async () => shown.replaceChildren()),
          ),
        );
        secret.focus();
        await renderKeys();
      },
      'primary',
    );
    formCard.replaceChildren(
      textElement('access.key', {}, 'h3'),
      field('key.name', translations('access.program.name'), name),
      ...chosen.fields,
      createElement('div', { class: 'adding' }, createButton),
      shown,
    );
  }

  const start = async () => {
    renderForm(await request('/api/v1/me'));
    await renderKeys();
  };
  start().catch(() => {});
  return [line, createElement('div', { class: 'card' }, keyList), formCard];
}

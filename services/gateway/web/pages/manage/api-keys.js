// Section of API keys for the owner's programs: created, shown once, and revoked.
/** @import { SectionContext } from '../../shared/types' */
import { newIdempotencyKey, serverNow } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { translations, textElement } from '../../shared/language.js';
import { formatDateTime } from '../../shared/format.js';
import { checkboxField, field, selectField } from './fields.js';
import {
  statusLine,
  actionButton,
  confirmButton,
  scopeFields,
  nameElement,
  describeLastUse,
  describeScope,
  concernsSite,
  languageTag,
} from './access.js';

const SCOPES = ['read', 'feed', 'counter', 'manage'];
const DAY_MS = 86400000;

/** Describes the limits of a key, who made it, and its last use. */
function describeKey(key, members) {
  const maker = members.find(member => member.id === key.made_by);
  const parts = [
    key.purpose && createElement('span', { lang: languageTag(key.purpose) }, key.purpose),
    ...(key.scopes || ['all']).map(scope => textElement(`access.scope.${scope}`)),
    key.expired
      ? textElement('access.expired', {}, 'strong')
      : key.expires_at !== null &&
        textElement('access.expires.at', { time: formatDateTime(key.expires_at) }),
    textElement('access.made', {
      by: maker ? maker.name : key.made_by,
      time: formatDateTime(key.made_at),
    }),
    describeLastUse(key, key.made_at),
  ];
  return parts.filter(Boolean).flatMap((part, index) => (index ? [' · ', part] : [part]));
}

/** @param {SectionContext} context */
export function section({ id, draft }) {
  const { line, showStatus, request } = statusLine();
  const [keyList, formCard] = [
    createElement('ul', { class: 'rows', id: 'keys' }),
    createElement('div', { class: 'card', id: 'making' }),
  ];

  async function renderKeys() {
    const { keys, members } = await request('/api/v1/staff');
    const here = keys.filter(concernsSite(id));
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
                createElement('br'),
                createElement('small', { class: 'soft' }, describeKey(key, members)),
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
    const purpose = createElement('input', { maxlength: 200, autocomplete: 'off' });
    const chosen = scopeFields({ id, draft, me, whole: 'program' });
    /** @type {Set<string>} */
    const scopes = new Set();
    const scopeBoxes = SCOPES.map(scope =>
      checkboxField(translations(`access.scope.${scope}`), false, on =>
        on ? scopes.add(scope) : scopes.delete(scope),
      ),
    );
    let days = 0;
    const expiry = selectField(
      'expires',
      translations('access.expires'),
      '0',
      [
        ['0', translations('access.expires.never')],
        ['30', translations('access.expires.month')],
        ['365', translations('access.expires.year')],
      ],
      value => {
        days = Number(value);
      },
    );
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
            body: {
              name: name.value.trim(),
              ...chosen.chosen(),
              purpose: purpose.value.trim() || null,
              scopes: scopes.size ? [...scopes] : null,
              expires_at: days ? Math.round(serverNow() + days * DAY_MS) : null,
            },
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
      field('key.purpose', translations('access.purpose'), purpose),
      ...chosen.fields,
      createElement(
        'div',
        { class: 'scopes' },
        textElement('access.scopes'),
        createElement('div', { class: 'ticks' }, scopeBoxes),
      ),
      expiry,
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

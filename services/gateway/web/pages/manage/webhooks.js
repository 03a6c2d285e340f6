// Section of webhooks: the endpoints with their events, and the replay of past events.
/** @import { SectionContext } from '../../shared/types' */
import { newIdempotencyKey } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { translations, textElement } from '../../shared/language.js';
import { field } from './fields.js';
import { statusLine, actionButton } from './access.js';

/** @param {SectionContext} context */
export function section({ id }) {
  const { line, showStatus, request } = statusLine();
  const webhookList = createElement('div', { class: 'place', id: 'webhooks' });
  const path = `/api/v1/sites/${encodeURIComponent(id)}/webhooks`;

  /** @param {{ id: string, events: string[] }} webhook */
  function webhookCard(webhook) {
    const [from, to] = [true, false].map(required =>
      createElement('input', { type: 'datetime-local', required }),
    );
    let idempotencyKey = newIdempotencyKey(); // until another range is entered
    for (const control of [from, to]) {
      control.addEventListener('input', () => {
        idempotencyKey = newIdempotencyKey();
      });
    }
    const replayButton = actionButton('access.replay', async () => {
      if (!from.reportValidity()) return;
      const body = { from: from.value, ...(to.value && { to: to.value }) };
      const { queued } = await request(`${path}/${encodeURIComponent(webhook.id)}/replay`, {
        method: 'POST',
        body,
        headers: { 'idempotency-key': idempotencyKey },
      });
      showStatus('done', textElement('access.queued', { count: queued }));
    });
    return createElement(
      'div',
      { class: 'card' },
      createElement('h3', { translate: 'no', lang: 'en' }, webhook.id),
      createElement(
        'p',
        {},
        textElement('access.told'),
        ' ',
        createElement('code', { lang: 'en' }, webhook.events.join(', ')),
      ),
      createElement(
        'div',
        { class: 'fields' },
        field('from', translations('access.from'), from),
        field('to', translations('access.to'), to),
      ),
      createElement('div', { class: 'adding' }, replayButton),
    );
  }

  const start = async () => {
    const listed = await request(path);
    webhookList.replaceChildren(
      ...(listed.length
        ? listed.map(webhookCard)
        : [createElement('p', { class: 'card' }, textElement('access.no-webhooks'))]),
    );
  };
  start().catch(() => {});
  return [line, webhookList];
}

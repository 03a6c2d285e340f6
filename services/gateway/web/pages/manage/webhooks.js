// Section of webhooks: the endpoints with their events, and the replay of past events.
/** @import { SectionContext } from '../../shared/types' */
import { newIdempotencyKey } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { translations, textElement } from '../../shared/language.js';
import { formatDateTime } from '../../shared/format.js';
import { field } from './fields.js';
import { statusLine, actionButton } from './access.js';

const TEST_LOOKS = 8; // a delivery is given up after ten seconds
const TEST_LOOK_MS = 1500;

/**
 * @param {{ at: number, id: string, type: string, status?: number, error?: string, duration_ms: number }} delivery
 */
const deliveryRow = ({ at, id, type, status, error, duration_ms: duration }) =>
  createElement(
    'li',
    { lang: 'en', 'data-event': id },
    createElement(
      'p',
      {},
      `${formatDateTime(at)} · ${type} · `,
      createElement('strong', {}, error || `${status}`),
    ),
    createElement('small', { class: 'soft' }, `${id} · ${duration} ms`),
  );

/** @param {SectionContext} context */
export function section({ id }) {
  const { line, showStatus, request } = statusLine();
  const webhookList = createElement('div', { class: 'place', id: 'webhooks' });
  const path = `/api/v1/sites/${encodeURIComponent(id)}/webhooks`;

  /**
   * Place of the recent deliveries of a webhook, with the button that sends one for a test.
   * @param {string} webhookPath
   */
  function deliveriesPlace(webhookPath) {
    const place = createElement('div', {});
    const load = async () => {
      const log = await request(`${webhookPath}/deliveries`);
      const since = { time: formatDateTime(log.failing_since) };
      place.replaceChildren(
        ...(log.paused ? [textElement('access.hook.paused', since, 'p')] : []),
        ...(log.failing_since && !log.paused
          ? [textElement('access.hook.failing', since, 'p')]
          : []),
        log.deliveries.length
          ? createElement('ul', { class: 'rows' }, ...log.deliveries.map(deliveryRow))
          : textElement('access.hook.none', {}, 'p'),
      );
    };
    const testButton = actionButton('access.hook.test', async () => {
      const { id: eventId } = await request(`${webhookPath}/test`, { method: 'POST' });
      for (let attempt = 0; attempt < TEST_LOOKS; attempt += 1) {
        await new Promise(resolve => setTimeout(resolve, TEST_LOOK_MS));
        await load();
        if (place.querySelector(`[data-event="${eventId}"]`)) {
          showStatus('done', textElement('access.hook.tested'));
          return;
        }
      }
      showStatus('refused', textElement('access.hook.untested'));
    });
    load().catch(() => {});
    return [
      textElement('access.hook.deliveries', {}, 'h4'),
      place,
      createElement('div', { class: 'adding' }, testButton),
    ];
  }

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
      ...deliveriesPlace(`${path}/${encodeURIComponent(webhook.id)}`),
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

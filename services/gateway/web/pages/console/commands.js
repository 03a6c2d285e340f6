// Commands of the console. A press is one command with an idempotency key of its own, under which it
// is sent again when its answer got lost, so that it is carried out once.
/** @import { ApiError } from '../../shared/http.js' */
import { fetchJson, newIdempotencyKey, siteId } from '../../shared/http.js';
import { authHeaders } from '../../shared/credentials.js';

const MAX_ATTEMPTS = 3;
const RETRY_DELAY_MS = 800; // for each attempt so far

/**
 * Command of which nobody knows whether the server carried it out.
 * @type {{ path: string, text: string | undefined, fingerprint: string, key: string } | null}
 */
let pending = null;

/**
 * Address of something of this site.
 * @param {string} path
 */
export const siteUrl = path =>
  `/api/v1/sites/${encodeURIComponent(siteId)}/${path.split('/').map(encodeURIComponent).join('/')}`;

/** @param {string} path */
export const fetchFromSite = path => fetchJson(siteUrl(path), { headers: authHeaders() });

/**
 * Forgets the pending command once the site has changed: it was carried out, or never will be.
 * @param {string} fingerprint of the site's state
 */
export function settlePending(fingerprint) {
  if (pending && pending.fingerprint !== fingerprint) pending = null;
}

/**
 * Sends a command. The same one, pressed again while its outcome is unknown, keeps its key.
 * @param {string} path
 * @param {object | undefined} body
 * @param {string} fingerprint of the site's state before
 * @param {() => void} onRetry
 */
export async function sendCommand(path, body, fingerprint, onRetry) {
  const text = body && JSON.stringify(body);
  const same = pending && pending.path === path && pending.text === text;
  const command = same && pending ? pending : { path, text, fingerprint, key: newIdempotencyKey() };
  for (let attempt = 1; ; attempt += 1) {
    try {
      const done = await fetchJson(siteUrl(path), {
        method: 'POST',
        headers: {
          ...authHeaders(),
          'idempotency-key': command.key,
          ...(text && { 'content-type': 'application/json' }),
        },
        body: text,
      });
      pending = null;
      return done;
    } catch (caught) {
      const error = /** @type {ApiError} */ (caught);
      pending = error.retryable ? command : null;
      if (!error.retryable || attempt === MAX_ATTEMPTS) throw error;
      onRetry();
      await new Promise(resolve => setTimeout(resolve, RETRY_DELAY_MS * attempt));
    }
  }
}

// One press is one wish: it has a key of its own, under which it is asked again when its answer got
// lost, so that it is done once.
import { ask, site } from './paihao.js';
import { headers } from './key.js';

const TRIES = 3;

let unsure = null; // a wish of which nobody knows whether it was heard

/** `crypto.randomUUID` exists on https and on this machine only; a hall's PC may use plain http. */
export const makeshift = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');

/** The address of something of this site. */
export const at = path => `/api/v1/sites/${encodeURIComponent(site)}/${path.split('/').map(encodeURIComponent).join('/')}`;

/** What the server knows of something of this site. */
export const look = path => ask(at(path), { headers: headers() });

/** The site has changed as `standing` says: what was unsure has been done, or will not be. */
export function seen(standing) {
  if (unsure && unsure.standing !== standing) unsure = null;
}

/**
 * Has something done. The same wish, pressed again while its outcome is unknown, is still the same
 * one. `again` is told when it has to be tried once more.
 */
export async function wish(path, body, standing, again) {
  const text = body && JSON.stringify(body);
  const same = unsure && unsure.path === path && unsure.text === text;
  const mine = same ? unsure : { path, text, standing, key: crypto.randomUUID ? crypto.randomUUID() : makeshift() };
  for (let attempt = 1; ; attempt += 1) {
    try {
      const done = await ask(at(path), {
        method: 'POST',
        headers: { ...headers(), 'idempotency-key': mine.key, ...(text && { 'content-type': 'application/json' }) },
        body: text,
      });
      unsure = null;
      return done;
    } catch (refusal) {
      unsure = refusal.passing ? mine : null;
      if (!refusal.passing || attempt === TRIES) throw refusal;
      again();
      await new Promise(resolve => setTimeout(resolve, 800 * attempt));
    }
  }
}

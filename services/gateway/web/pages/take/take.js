// Page that a code leads to: takes a number without WeChat, and finds it again.
/** @import { ApiError } from '../../shared/http.js' */
import './words.js';
import '../../shared/language.js';
import { fetchJson, newIdempotencyKey } from '../../shared/http.js';
import { byId } from '../../shared/dom.js';
import { setTextPair } from '../../shared/language.js';

const { site, scene } = document.body.dataset;
const storageKey = `ticket:${site}`;

/** Key of the request: a repeat after a lost answer gets the same number. */
const requestKey = newIdempotencyKey();

/** Path of the number that this browser took here before; a browser may keep nothing. */
function storedPath() {
  try {
    return localStorage.getItem(storageKey);
  } catch {
    return null;
  }
}

function storePath(path) {
  try {
    if (path) localStorage.setItem(storageKey, path);
    else localStorage.removeItem(storageKey);
  } catch {
    // The page of the number stays open.
  }
}

/** Shows the way to a number that goes on, in place of another one. */
async function showOwn() {
  const path = storedPath();
  if (!path) return;
  try {
    const ticket = await fetchJson(path.replace('/t/', '/api/v1/tickets/'));
    if (['done', 'closed'].includes(ticket.state)) throw new Error('over');
    byId('mine').href = path;
    byId('mine').hidden = false;
    byId('take').hidden = true;
  } catch (error) {
    if (!error.retryable) storePath(null);
  }
}

async function take() {
  byId('take').disabled = true;
  byId('said').hidden = true;
  try {
    const { path } = await fetchJson(`/api/v1/page-codes/${scene}/tickets`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': requestKey },
      body: '{}',
    });
    storePath(path);
    location.assign(path);
  } catch (error) {
    setTextPair(byId('said'), /** @type {ApiError} */ (error).textsWithHours);
    byId('said').hidden = false;
    byId('take').disabled = false;
  }
}

if (byId('take')) {
  byId('take').addEventListener('click', take);
  showOwn();
}

// Guard of every page against browsers that are too old for it: they are told so. It is no module, and
// is written as browsers of 2012 read it, since it has to run where the page does not. The oldest browser
// that a page runs in is named in docs/guide/pages.md.
(function () {
  // An error in the first seconds says that the page does not run; later it is one of the page.
  var WATCHED_MS = 15000;

  /** Features that every page needs. */
  var NEEDED = [
    'Element.prototype.replaceChildren',
    'String.prototype.replaceAll',
    'Object.fromEntries',
    'Array.prototype.flatMap',
    'AbortController',
    'Intl.DateTimeFormat.prototype.formatToParts',
    'Response.prototype.body',
    'TextDecoder',
    'FormData.prototype.entries',
    'URLSearchParams',
    'crypto.getRandomValues',
  ];
  var begun = Date.now();
  var hasFailed = false;

  /** @param {string} path */
  function isThere(path) {
    /** @type {any} */
    var owner = window;
    var i;
    var names = path.split('.');
    for (i = 0; i < names.length; i += 1) {
      if (!(names[i] in owner)) return false;
      // Reading the last one may call a getter, which works on instances alone.
      if (i < names.length - 1) owner = owner[names[i]];
    }
    return true;
  }

  /** True if the page is paper to print, which is complete without scripts. */
  function isPaper() {
    return Boolean(document.querySelector('article.sheet'));
  }

  /** True if the browser cannot show the page, whose elements are there. */
  function isTooOld() {
    if (isPaper()) return !CSS.supports('width', '1cqw');
    var dialog = document.querySelector('dialog');
    return isOld || Boolean(dialog && !('showModal' in dialog));
  }

  function tell() {
    document.documentElement.className += ' too-old';
    var note = document.getElementById('too-old');
    if (note) note.hidden = false;
  }

  /** @param {any} error */
  function isOfLanguage(error) {
    return Boolean(error) && /^(Syntax|Type|Reference)Error$/.test(error.name);
  }

  /** @param {any} error */
  function watch(error) {
    if (!isOfLanguage(error) || Date.now() - begun > WATCHED_MS) return;
    hasFailed = true;
    if (document.readyState !== 'loading' && !isPaper()) tell();
  }

  var isOld = !('noModule' in document.createElement('script')) || !NEEDED.every(isThere);
  window.addEventListener('error', function (event) {
    watch(event.error);
  });
  window.addEventListener('unhandledrejection', function (event) {
    watch(event.reason);
  });
  document.addEventListener('DOMContentLoaded', function () {
    if (isTooOld() || (hasFailed && !isPaper())) tell();
  });
})();

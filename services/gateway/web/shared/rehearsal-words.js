// Texts of the strip of a rehearsal, added to those of all pages.
import { WORDS } from './words.js';

Object.assign(WORDS, {
  'rehearsal.strip': ['彩排中，不是真的排队', 'A rehearsal, no real queue'],
});

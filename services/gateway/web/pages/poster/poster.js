// Poster: its language switch, and its button to print.
import './words.js';
import '../../shared/language.js';
import { byId } from '../../shared/dom.js';

const button = byId('print');
button.addEventListener('click', () => window.print());
button.hidden = false;

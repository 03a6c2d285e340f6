// A poster's language, and its button to print.
import './poster-words.js';
import './language.js';

const button = document.getElementById('print');
button.addEventListener('click', () => window.print());
button.hidden = false;

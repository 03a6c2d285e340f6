// The one button of a poster.
const button = document.getElementById('print');
button.addEventListener('click', () => window.print());
button.hidden = false;

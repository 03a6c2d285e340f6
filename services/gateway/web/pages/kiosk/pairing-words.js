// Texts of a kiosk that is to be paired, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'pair.title': ['这台取号机还没有配对', 'This kiosk is not paired yet'],
  'pair.staff': ['管理员：打开管理页的「取号机」，输入这个配对码', 'Managers: enter this code under “Kiosks” on the manager’s page'],
  'pair.customers': ['取号请扫门口的二维码，或找工作人员', 'To take a number, scan the code at the door or ask the staff'],
});

// Texts of the section of the look, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'look.logo': ['标志', 'Logo'],
  'look.logo.lead': ['选一张图片，网页会缩小成 PNG；透明背景最好看', 'Choose a picture; the page makes a small PNG of it. A transparent background looks best'],
  'look.logo.choose': ['选择图片', 'Choose a picture'],
  'look.logo.none': ['还没有标志', 'No logo yet'],
  'look.logo.now': ['现在的标志，{width} × {height} 像素', 'The logo now, {width} × {height} pixels'],
  'look.logo.done': ['标志已换，各个页面马上使用', 'The logo is in use on every page'],
  'look.logo.removed': ['标志已删除', 'The logo is removed'],
  'look.logo.sure': ['再按一次就删除', 'Press again to remove'],
  'look.logo.unreadable': ['浏览器打不开这张图片，请换 PNG 或 JPEG', 'The browser cannot open this picture: take a PNG or a JPEG'],
  'look.logo.heavy': ['这张图片太复杂，缩得很小还是太大，请换一张简单些的', 'This picture is too rich even when it is small: take a simpler one'],
  'look.colour': ['颜色', 'Colour'],
  'look.colour.lead': ['按钮和重点的颜色；字看不清的颜色会自动调深或调浅', 'Of buttons and marks; a colour that cannot be read is made darker or lighter'],
  'look.colour.own': ['用自己的颜色', 'A colour of your own'],
  'look.colour.which': ['哪种颜色', 'Which colour'],
  'look.colour.fine': ['这种颜色在浅色和深色的页面上都看得清', 'It can be read on light and on dark pages'],
  'look.colour.light': ['浅色页面和纸上：对比度只有 {contrast}，改用 {shade}', 'On light pages and paper: a contrast of {contrast} alone, so it is {shade}'],
  'look.colour.dark': ['深色页面上：对比度只有 {contrast}，改用 {shade}', 'On dark pages: a contrast of {contrast} alone, so it is {shade}'],
  'look.preview': ['看起来这样', 'It looks like this'],
  'look.preview.light': ['浅色', 'Light'],
  'look.preview.dark': ['深色', 'Dark'],
  'look.preview.call': ['叫下一位', 'Call next'],
  'look.preview.link': ['查看号码', 'See the number'],
});

// Texts of the section of kiosks, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'kiosks.none': ['还没有配对的取号机', 'No kiosk is paired yet'],
  'kiosks.paired': ['{by} 于 {time} 配对', 'paired by {by}, {time}'],
  'kiosks.unpair': ['解除配对', 'Unpair'],
  'kiosks.unpair.sure': ['再按一次：解除 {name}', 'Press again to unpair {name}'],
  'kiosks.unpaired': ['已解除配对，立即生效', 'is unpaired from now on'],
  'kiosks.new': ['配对一台取号机', 'Pair a kiosk'],
  'kiosks.open': ['在取号机上打开这个地址，会显示一个配对码：', 'Open this address at the kiosk, which then shows a code:'],
  'kiosks.code': ['取号机显示的配对码', 'Code that the kiosk shows'],
  'kiosks.name': ['取号机的名称', 'Name of the kiosk'],
  'kiosks.pair': ['配对', 'Pair'],
  'kiosks.done': ['已配对', 'is paired'],
  'kiosks.only': ['只有配对的取号机可以取号（网上的人不能用这个页面生成二维码）', 'Only paired kiosks give codes and numbers: nobody on the internet has them made'],
});

// Texts of the section of the hand-over, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'handover.posters': ['1 海报与桌牌', '1 Posters and table tents'],
  'handover.posters.use': ['打印出来贴在门口、放在桌上，顾客扫码取号', 'Print them for the door and the tables: customers scan them for a number'],
  'handover.posters.each': ['每个业务单独打印（{count}）', 'One queue alone ({count})'],
  'handover.size.a4': ['A4 海报', 'Poster, A4'],
  'handover.size.a5': ['A5 海报', 'Poster, A5'],
  'handover.size.tent': ['桌牌', 'Table tent'],
  'handover.screens': ['2 屏幕与叫号台', '2 Screens and consoles'],
  'handover.screens.use': ['在大屏、取号机和窗口电脑上打开，或用手机扫', 'Open them on the hall’s screen, the kiosk and the counters, or scan them with a phone'],
  'handover.screens.more': ['每个业务单独的取号机', 'Kiosks of one queue alone'],
  'handover.staff': ['3 工作人员', '3 Staff'],
  'handover.staff.use': ['每人扫一次码，以后扫码登录叫号台', 'Everybody scans a code once, and logs in by scanning from then on'],
  'handover.clerk': ['4 窗口速查卡', '4 Half page for the counter'],
  'handover.clerk.use': ['按键和没来怎么办，一张 A4 两份，对半裁开', 'The keys, and what to do when nobody comes: two on a sheet of A4'],
  'handover.clerk.open': ['打开速查卡', 'Open the half page'],
  'handover.menu': ['5 公众号菜单', '5 Menu of the account'],
  'handover.menu.use': ['聊天窗口下方的按钮：取号、我的号', 'The buttons below the chat: take a number, my number'],
  'handover.menu.open': ['编辑并推送菜单', 'Edit and push the menu'],
});

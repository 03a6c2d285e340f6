// Texts of the card of former members, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'former.title': ['已离开的人、密钥和取号机', 'Former members, keys and kiosks'],
  'former.lead': ['名称保留到下面的日期，之后只留编号。操作记录按编号查找。', 'Names are kept until the date below, then the id alone. The audit log is searched by the id.'],
  'former.member': ['人员', 'member'],
  'former.key': ['密钥', 'key'],
  'former.kiosk': ['取号机', 'kiosk'],
  'former.left': ['{time} 离开', 'left {time}'],
  'former.erased': ['名称保留到 {time}', 'name kept until {time}'],
  'former.erase': ['立即清除名称', 'Erase the name'],
  'former.erase.sure': ['再按一次：清除 {name}，不能撤销', 'Press again to erase {name} for good'],
  'former.done': ['的名称已清除', 'has no name any more'],
});

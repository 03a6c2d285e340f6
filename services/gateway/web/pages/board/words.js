// Texts of the board, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'board.title': ['叫号大屏', 'Now calling'],
  'board.newest': ['最新叫号', 'Newest call'],
  'board.quiet': ['请稍候', 'Please wait'],
  'board.go': ['请到', 'please go to'],
  'board.again': ['再次叫号', 'called again'],
  'board.recent': ['最近叫号', 'Recent calls'],
  'board.none': ['还没有叫号', 'No calls yet'],
  'board.counters': ['窗口', 'Counters'],
  'board.queues': ['排队', 'Waiting'],
  'board.closed': ['暂停', 'Closed'],
  'board.free': ['空闲', 'Free'],
  'board.nobody': ['无人排队', 'Nobody'],
  'board.voice': ['语音', 'Voice'],
  'board.unlock': ['点这里打开语音叫号', 'Touch here to hear the calls'],
  'voice.call': ['请 {number} 号到{counter}', 'Number {number}, please go to {counter}'],
  'voice.screen': ['请 {number} 号看屏幕', 'Number {number}, please see the screen'],
  'voice.counter': ['{number}号窗口', 'counter {number}'],
  'voice.ready': ['语音已打开', 'The voice is on'],
});

// Shapes of the data that pages work with, for the type checker alone: no browser loads this file.

/** A text in both languages, Chinese first. */
export type Texts = [zh: string, en: string];
/** Values for the `{name}`s of a text. */
export type Values = Record<string, unknown>;
/** A table of words: the texts of each key. */
export type Words = Record<string, Texts>;

export type Child = Node | string | number | null | undefined | false;

/** Functions for the events of a subscription, by the event's type. */
export type EventHandlers = Record<string, (data: any) => unknown>;
/** Reports a connection that opened or failed; `error` where the server refused it. */
export type OnConnection = (connected: boolean, error?: import('./http.js').ApiError | null) => unknown;

/** A refusal as the server sends it (RFC 9457). */
export interface Problem {
  code: string;
  title: string;
  title_en: string;
  detail?: string;
  problems?: SettingsProblem[];
  /** Opening hours of a queue that gives no numbers now. */
  hours?: string;
  hours_en?: string;
}

/** A setting that was refused. */
export interface SettingsProblem {
  key: string;
  what: string;
  advice?: string;
  /** Of a contradiction between settings. */
  code?: string;
}

/** A range of minutes. */
export type MinuteRange = [low: number, high: number];

/** A site as everybody may see it. */
export interface SiteView {
  site: string;
  name: string;
  /** Name in English, where the owner has set one; so everywhere. */
  name_en?: string;
  zone: string;
  /** Kiosks give numbers to people without WeChat. */
  kiosk_slips?: boolean;
  /** Paired kiosks alone make codes and give numbers. */
  paired_kiosks_only?: boolean;
  /** Look of its pages, if it has one of its own. */
  brand?: BrandView;
  queues: QueueView[];
  counters: CounterView[];
  calls: CallView[];
}

/** Colour and logo of a site. */
export interface BrandView {
  /** Address of the style sheet with the colour. */
  style?: string;
  logo?: { url: string; width: number; height: number };
}

/** Opening hours on two business days, each an interval in milliseconds; none if it is closed. */
export interface Hours {
  today: [number, number][];
  tomorrow: [number, number][];
}

export interface QueueView {
  id: string;
  /** Of a queue that gives no numbers now. */
  hours?: Hours;
  name: string;
  name_en?: string;
  open?: boolean;
  /** For those who would join it: open, full, closing, paused, halted, out_of_hours or closed. */
  state: string;
  waiting_count: number;
  missed_count: number;
  minutes?: MinuteRange | null;
  /** It has a permanent code, which `door.svg` draws. */
  door_code?: boolean;
  waiting: { number: string }[];
  announcement?: { zh?: string; en?: string };
}

export interface CounterView {
  id: string;
  name: string;
  name_en?: string;
  open: boolean;
  serving?: { number: string } | null;
}

/** A number that is called to a counter. */
export interface CallView {
  number: string;
  queue: string;
  counter: string;
  counter_name: string;
  counter_name_en?: string;
  /** 1 for the first call of this number. */
  call: number;
  called_at: number;
}

export type TicketState = 'waiting' | 'called' | 'serving' | 'held' | 'missed' | 'done' | 'closed';

/** A ticket as its holder sees it. */
export interface TicketView {
  number: string;
  state: TicketState;
  site_name: string;
  site_name_en?: string;
  queue_name: string;
  queue_name_en?: string;
  queue_state: string;
  /** Time zone of the site. */
  zone: string;
  hours?: Hours;
  /** Who began the hold: let_pass, staff or suspended. */
  hold?: string;
  /** Words of staff about the hold or the end. */
  reason?: string;
  counter_name?: string;
  counter_name_en?: string;
  /** People ahead; absent where there is no place in a line. */
  ahead?: number;
  minutes?: MinuteRange | null;
  last_called?: string | null;
  taken_at: number;
  until?: number | null;
  /** The reason of its end. */
  ended?: string | null;
  /** The business day ended before its turn. */
  over: boolean;
  /** People who still go first, after its holder let some pass. */
  others?: number | null;
  places?: number | null;
  /** Its holder has said that they are on the way. */
  coming: boolean;
  /** End of the business day in milliseconds. */
  day_ends_at: number;
  /** Commands that its holder may send. */
  may: string[];
  let_pass_minutes: number;
  tell_at: number;
  tell_at_chosen?: boolean;
  /** Of the queue, for those who choose none. */
  usual_tell_at: number;
  moves: { at: number; cause: string; own: boolean; more: number }[];
  notices: { at?: number; notice: string; fate: string; why?: string }[];
  now: number;
}

/** A site as a counter's console sees it. */
export interface ConsoleView {
  name: string;
  name_en?: string;
  zone: string;
  position: number;
  you: { name: string; counters?: string[] | null; manages: boolean };
  queues: ConsoleQueueView[];
  counters: ConsoleCounterView[];
  tickets: ConsoleTicketView[];
  calls: CallView[];
  /** Tickets that ended a short while ago, the latest first. */
  ended: UndoView[];
}

export interface ConsoleQueueView extends QueueView {
  /** As a manager set it: open, paused, halted or closed. */
  set: string;
  taken: number;
  held_count: number;
}

export interface ConsoleCounterView {
  id: string;
  name: string;
  name_en?: string;
  state: 'open' | 'break' | 'offline';
  serving?: string | null;
  queues: string[];
  login?: string | null;
  /** Name of the member with that login. */
  login_name?: string;
  login_since?: number;
  /** The member may no longer be there. */
  login_left?: boolean;
  /** Time at which the system calls there, if nobody acts before. */
  next_call_at?: number;
  /** The system waits for a person to call. */
  auto_paused?: boolean;
  /** Commands that may be sent there now. */
  may: string[];
}

export interface ConsoleTicketView {
  number: string;
  state: TicketState;
  queue: string;
  since: number;
  taken_at: number;
  until?: number | null;
  calls: number;
  recall_from?: number;
  put_back_until?: number;
  /** The wait that was quoted to its holder. */
  told?: { minutes: MinuteRange; by?: number } | null;
  class?: number;
  misses: number;
  arrived?: boolean;
  /** The holder has said that they are on the way. */
  coming?: boolean;
  party?: number;
  wechat: boolean;
  message?: { notice: string; fate: string } | null;
  /** Commands that may be sent now. */
  may: string[];
  hold?: { why: string; reason?: string; counter?: string } | null;
}

/** Something that can be taken back. */
export interface UndoView {
  number: string;
  state: string;
  to: string;
  at: number;
  act?: string;
  own?: boolean;
  counter?: string;
  until?: number;
}

/** State and functions that the manager's page passes to its sections. */
export interface SectionContext {
  /** The site. */
  id: string;
  /** Its settings as they are edited. */
  draft: any;
  /** Its settings as they are stored. */
  saved: any;
  /** The account's settings as they are edited; absent without access. */
  account?: any;
  /** Notes a change of a draft. */
  changed: () => void;
  /** Renders the section again after a change. */
  redraw: () => void;
  withAuth: (options: object) => any;
  showStatus: (kind?: string, texts?: Texts | null, more?: HTMLElement[]) => void;
  /** Loads the settings again and renders them. */
  reload: () => Promise<void>;
}

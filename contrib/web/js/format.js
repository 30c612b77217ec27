// SPDX-License-Identifier: BSD-2-Clause
// Times, sizes and names the way people write them.
import {daysAgo} from './clock.js';
import {unspoiled} from './formatting.js';
import {hasText, language, t} from './i18n.js';
import {isVisible, plain, withoutBidi} from './text.js';

const locale = language === 'zh' ? 'zh-CN' : navigator.languages.find((l) => l.startsWith('en') && isLocale(l)) ?? 'en';
const of = (options) => new Intl.DateTimeFormat(locale, options);
const clockFormat = of({timeStyle: 'short'});
const weekdayFormat = of({weekday: 'short'});
const dateFormat = of({month: 'short', day: 'numeric'});
const longDateFormat = of({weekday: 'long', month: 'long', day: 'numeric'});
const yearFormat = of({year: 'numeric', month: 'long', day: 'numeric'});
const fullFormat = of({dateStyle: 'full', timeStyle: 'medium'});
const names = new Map(); // nickname -> as it is shown
const NAMES_MAX = 10000;

// A browser may name its language in a way that Intl does not take, as en-US@posix.
function isLocale(name) {
    try {
        return Intl.DateTimeFormat.supportedLocalesOf(name).length > 0;
    } catch {
        return false;
    }
}

export function clock(time) {
    return clockFormat.format(new Date(time));
}

export function fullTime(time) {
    return fullFormat.format(new Date(time));
}

// A line between the messages of two days.
export function dayName(time) {
    const ago = daysAgo(time);
    if (ago <= 0)
        return t('time.today');
    if (ago === 1)
        return t('time.yesterday');
    return (ago < 300 ? longDateFormat : yearFormat).format(new Date(time));
}

// Beside a conversation, where there is little room.
export function shortTime(time) {
    const ago = daysAgo(time);
    if (ago <= 0)
        return clock(time);
    if (ago === 1)
        return t('time.yesterday');
    return (ago < 7 ? weekdayFormat : dateFormat).format(new Date(time));
}

// How long from now, in words: in minutes, or hours where it is longer.
export function fromNow(milliseconds) {
    const minutes = Math.max(1, Math.ceil(milliseconds / 60000));
    const relative = new Intl.RelativeTimeFormat(locale);
    return minutes < 90 ? relative.format(minutes, 'minute') : relative.format(Math.ceil(minutes / 60), 'hour');
}

export function bytes(count) {
    const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'];
    const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
    return new Intl.NumberFormat(locale, {style: 'unit', unit: units[power], unitDisplay: power === 0 ? 'long' : 'short',
        maximumFractionDigits: 1}).format(count / 1000 ** power);
}

export function duration(seconds) {
    const whole = Math.round(seconds);
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

// What a person is called; the user's id where the nickname shows nothing.
export function nameOf({nickname, user_id}) {
    if (!nickname)
        return user_id;
    let name = names.get(nickname);
    if (name === undefined) {
        if (names.size >= NAMES_MAX)
            names.clear();
        name = plain(nickname);
        names.set(nickname, name = isVisible(name) ? name : '');
    }
    return name || user_id;
}

// What a group is called.
export function groupName(group) {
    const name = plain(group?.name ?? '');
    return isVisible(name) ? name : t('group.unnamed');
}

// A length of time in its largest whole unit: "10 minutes".
export function span(seconds) {
    const [unit, count] = [['day', 86400], ['hour', 3600], ['minute', 60]].find(([, size]) => seconds >= size && seconds % size === 0) ?? ['second', 1];
    return new Intl.NumberFormat(locale, {style: 'unit', unit, unitDisplay: 'long'}).format(seconds / count);
}

// A moment in the future: a time today, else with its day.
export function untilTime(time) {
    return daysAgo(time) === 0 ? clock(time) : `${dateFormat.format(new Date(time))} ${clock(time)}`;
}

// A message in one line, without its formatting and what it hides.
export function summary(message) {
    const text = message.content && withoutBidi(unspoiled(message.content, message.entities, `[${t('format.spoiler')}]`));
    if (message.message_type === 'text')
        return text;
    if (message.message_type === 'sticker')
        return `[${t('media.sticker')}] ${withoutBidi(typeof message.extra?.emoji === 'string' ? message.extra.emoji : '')}`.trim();
    if (message.message_type === 'forward')
        return `[${t('media.forward')}]`;
    const kind = t(hasText(`media.${message.message_type}`) ? `media.${message.message_type}` : 'media.file');
    return text ? `[${kind}] ${text}` : `[${kind}]`;
}

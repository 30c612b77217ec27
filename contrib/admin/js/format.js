// SPDX-License-Identifier: BSD-2-Clause
// Times, counts and names the way people write them.
import {isVisible, plain} from '../../web/js/text.js';
import {locale} from './i18n.js';

const momentFormat = new Intl.DateTimeFormat(locale, {dateStyle: 'medium', timeStyle: 'medium'});
const clockFormat = new Intl.DateTimeFormat(locale, {timeStyle: 'medium'});
const countFormat = new Intl.NumberFormat(locale);
const NONE = '–';

export function moment(time) {
    return time === null || time === undefined ? NONE : momentFormat.format(new Date(time));
}

export function clock(time) {
    return clockFormat.format(new Date(time));
}

export function count(number) {
    return number === null || number === undefined ? NONE : countFormat.format(number);
}

// A rate: with a decimal where it is small.
export function perSecond(number) {
    return number === null ? NONE : countFormat.format(number < 10 ? Math.round(number * 10) / 10 : Math.round(number));
}

// A length of time given in seconds.
export function seconds(number) {
    if (number === null || number === undefined)
        return NONE;
    const [value, unit] = number > 0 && number < 0.001 ? [number * 1e6, 'microsecond'] : number > 0 && number < 1 ? [number * 1e3, 'millisecond'] : [number, 'second'];
    return new Intl.NumberFormat(locale, {style: 'unit', unit, unitDisplay: 'short', maximumSignificantDigits: 3}).format(value);
}

// A nickname without what only serves to deceive; null where it shows nothing.
export function nickname(text) {
    const name = plain(text ?? '');
    return isVisible(name) ? name : null;
}

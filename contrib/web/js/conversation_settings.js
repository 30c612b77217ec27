// SPDX-License-Identifier: BSD-2-Clause
// What a user has set of a conversation: what follows from it. Knows nothing of the page.
import {mentionsUser} from './mention.js';

export const NO_SETTINGS = Object.freeze({muted_until: null, pinned_at: null, archived: false, marked_unread: false, draft: null, mute_mentions: false, expires_in: null});

const FOREVER = '2100-01-01T00:00:00.000Z';
const HOUR_S = 3600;

// How long one may mute; null: until it is lifted.
export const MUTE_SECONDS = [HOUR_S, 8 * HOUR_S, 7 * 24 * HOUR_S, null];

// How long messages may stay; null: for ever.
export const EXPIRY_SECONDS = [null, 60, HOUR_S, 24 * HOUR_S, 7 * 24 * HOUR_S];

// muted_until, of one of them.
export function muteEnd(seconds, now) {
    return seconds === null ? FOREVER : new Date(now + seconds * 1000).toISOString();
}

export function isMutedAt({muted_until}, now) {
    return muted_until !== null && Date.parse(muted_until) > now;
}

// Whether the mute has no end that anyone would wait for.
export function isMutedForever({muted_until}) {
    return muted_until !== null && muted_until >= FOREVER;
}

// Whether a new message is told to a user who looks elsewhere.
export function isToldOf(settings, message, me, now) {
    return !isMutedAt(settings, now) || (mentionsUser(message, me) && !settings.mute_mentions);
}

// In the order of the list: the pinned ones first, and of each the latest.
export function inListOrder(a, b) {
    const pinned = (b.settings.pinned_at !== null) - (a.settings.pinned_at !== null);
    return pinned || (a.sortTime < b.sortTime ? 1 : a.sortTime > b.sortTime ? -1 : 0);
}

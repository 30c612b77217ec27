// SPDX-License-Identifier: BSD-2-Clause
// Small helpers of the page. Text gets in by textContent alone, so no content is ever taken for markup.

export const byId = (id) => document.getElementById(id);

export function element(tag, className = '', text = '') {
    const e = document.createElement(tag);
    if (className)
        e.className = className;
    if (text)
        e.textContent = text;
    return e;
}

export function button(className, text, onclick) {
    const b = element('button', className, text);
    b.type = 'button';
    b.addEventListener('click', onclick);
    return b;
}

const time = new Intl.DateTimeFormat(undefined, {hour: '2-digit', minute: '2-digit'});
const day = new Intl.DateTimeFormat(undefined, {weekday: 'short', day: 'numeric', month: 'short', year: 'numeric'});
const short = new Intl.DateTimeFormat(undefined, {day: 'numeric', month: 'short'});

export const clockTime = (iso) => time.format(new Date(iso));
export const dayName = (iso) => day.format(new Date(iso));
export const whenShort = (iso) =>
    new Date(iso).toDateString() === new Date().toDateString() ? clockTime(iso) : short.format(new Date(iso));

export const displayName = (peer) => peer.nickname || peer.user_id;

// A circle with the name's first letter; its colour is the user's own.
export function paintAvatar(e, peer) {
    let hash = 0;
    for (const ch of peer.user_id)
        hash = (hash * 31 + ch.codePointAt(0)) % 360;
    e.textContent = [...displayName(peer)][0].toUpperCase();
    e.style.backgroundColor = `hsl(${hash} 45% 40%)`;
    e.classList.toggle('online', peer.online === true);
}

// One line of what a message says.
export function summary(m) {
    if (m.is_recalled)
        return 'Recalled';
    return m.content ?? `[${m.message_type}]`;
}

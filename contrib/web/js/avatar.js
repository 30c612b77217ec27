// SPDX-License-Identifier: BSD-2-Clause
// A person's or a group's picture, or the first letter of the name on a colour of its own.
import {el, webUrl} from './dom.js';
import {nameOf} from './format.js';
import {initialOf} from './text.js';

const HUES = 8; // .hue-0 … in the style sheet

// The same for a user wherever they are shown.
export function hueOf(userId) {
    let sum = 0;
    for (const char of userId)
        sum = (sum * 31 + char.codePointAt(0)) % 9973;
    return sum % HUES;
}

// One that was uploaded is a path on this server.
function absolute(address) {
    return address?.startsWith('/') ? new URL(address, location.origin).href : address;
}

const hosts = new Set(); // origins of the server's files beside the page's own

export function loadPicturesFrom(origin) {
    hosts.add(origin);
}

// What is on a foreign host is not loaded: that would tell the host who looks at it, and when.
function pictureOf({avatar_url}) {
    const url = webUrl(absolute(avatar_url));
    if (url === null)
        return null;
    const {origin} = new URL(url);
    return origin === location.origin || hosts.has(origin) ? url : null;
}

// trusted: whether the picture may be shown: that of a stranger may not (People.isTrusted). online: true or false shows a dot;
// null none. It says nothing to a screen reader: a text beside it does.
export function avatar(profile, trusted, online = null) {
    const node = el(`span.avatar.hue-${hueOf(profile.user_id)}`, {'aria-hidden': 'true'}, initialOf(nameOf(profile)));
    const url = trusted ? pictureOf(profile) : null;
    if (url !== null) {
        const img = el('img', {src: url, alt: '', referrerpolicy: 'no-referrer', onerror: () => img.remove()});
        node.append(img);
    }
    if (online !== null)
        node.append(el(online ? 'span.dot.online' : 'span.dot'));
    return node;
}

// Of a group, one that the user is in or was invited to: an invite tells its name and no id, and shows the same colour.
// trusted: as above; a stranger's group is not.
export function groupAvatar({name, avatar_url}, trusted) {
    const node = avatar({user_id: name, nickname: name, avatar_url}, trusted);
    node.classList.add('group');
    return node;
}

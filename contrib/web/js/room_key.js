// SPDX-License-Identifier: BSD-2-Clause
// What names a conversation on this page: the user whom a direct one is with, or g/ID for a group. No user's id has a
// slash. The address says which conversation is open: #/KEY.

export function groupKey(id) {
    return `g/${id}`;
}

// The group's id, or null for a user's.
export function groupIdOf(key) {
    return key.startsWith('g/') ? key.slice(2) : null;
}

// Of an unsent message, the body of POST /messages/send.
export function keyOfDraft({to_user_id, conversation_id}) {
    return typeof to_user_id === 'string' ? to_user_id : groupKey(conversation_id);
}

export function chatAddress(key) {
    return `#/${key.split('/').map(encodeURIComponent).join('/')}`;
}

// Which conversation an address names, or null.
export function keyInAddress(hash) {
    try {
        return decodeURIComponent(hash.match(/^#\/(.+)$/)?.[1] ?? '') || null;
    } catch {
        return null;
    }
}

// SPDX-License-Identifier: BSD-2-Clause
// A picture in the room that is kept for it: what is known of it before it is there (what was chosen here, or its
// blurhash), and the picture over that.
import {el} from './dom.js';
import {blurhashPixels} from './blurhash.js';

const BLUR_PX = 32;
const PREVIEWS_MAX = 200;
const previews = new Map(); // client_msg_id -> canvas: what was sent from here

export function keepPreview(clientMsgId, canvas) {
    previews.set(clientMsgId, canvas);
    if (previews.size > PREVIEWS_MAX)
        previews.delete(previews.keys().next().value);
}

// The largest within these bounds; small ones stay, but for what a finger needs.
export function fitted(width, height, maxWidth, maxHeight, min = 96) {
    const scale = Math.min(1, maxWidth / width, maxHeight / height);
    return {width: Math.round(Math.max(min, width * scale)), height: Math.round(Math.max(min, height * scale))};
}

function canvasOf(width, height, draw) {
    const canvas = el('canvas', {width, height, 'aria-hidden': 'true'});
    draw(canvas.getContext('2d'));
    return canvas;
}

// A canvas, or null where nothing is known.
export function placeholder({client_msg_id, extra}) {
    const known = previews.get(client_msg_id);
    if (known)
        return canvasOf(known.width, known.height, (context) => context.drawImage(known, 0, 0));
    const pixels = blurhashPixels(extra?.blurhash, BLUR_PX, BLUR_PX);
    return pixels && canvasOf(BLUR_PX, BLUR_PX, (context) => context.putImageData(new ImageData(pixels, BLUR_PX, BLUR_PX), 0, 0));
}

// Loads the first of the sources that can be: URLs, or functions that resolve to one. onBroken() where none can.
export function loadFirst(node, sources, onBroken) {
    const next = async () => {
        const source = sources.shift();
        if (source === undefined) {
            onBroken();
            return;
        }
        try {
            node.src = typeof source === 'function' ? await source() : source;
        } catch {
            next();
        }
    };
    node.addEventListener('error', next);
    next();
}

// What the browser can decode of a file that was chosen: {width, height, canvas}, the latter small; null of any other.
export async function previewOf(file, max = 320) {
    if (!file.type.startsWith('image/') || file.type === 'image/svg+xml')
        return null;
    let bitmap;
    try {
        bitmap = await createImageBitmap(file);
    } catch {
        return null;
    }
    const {width, height} = bitmap;
    const scale = Math.min(1, max / Math.max(width, height));
    const canvas = canvasOf(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)),
        (context) => context.drawImage(bitmap, 0, 0, context.canvas.width, context.canvas.height));
    bitmap.close();
    return {width, height, canvas};
}

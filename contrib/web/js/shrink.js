// SPDX-License-Identifier: BSD-2-Clause
// Makes a large photo small enough for a phone's connection, unless the original is asked for.

const SIDE_MAX = 2560;
const BYTES_MAX = 1500000; // smaller ones go as they are, if their sides are, too
const QUALITY = 0.85;
const KINDS = {'image/jpeg': 'image/jpeg', 'image/png': 'image/webp', 'image/webp': 'image/webp', 'image/bmp': 'image/jpeg'};
const ENDINGS = {'image/jpeg': 'jpg', 'image/webp': 'webp'};

export function canShrink({type, size}) {
    return type in KINDS && size > 100000;
}

// The file, or a smaller one of it.
export async function shrunk(file) {
    if (!canShrink(file))
        return file;
    try {
        const bitmap = await createImageBitmap(file);
        const scale = Math.min(1, SIDE_MAX / Math.max(bitmap.width, bitmap.height));
        if (scale === 1 && (file.size <= BYTES_MAX || file.type === 'image/png')) {
            bitmap.close();
            return file;
        }
        const canvas = document.createElement('canvas');
        canvas.width = Math.round(bitmap.width * scale);
        canvas.height = Math.round(bitmap.height * scale);
        const context = canvas.getContext('2d');
        context.imageSmoothingQuality = 'high';
        context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
        bitmap.close();
        const blob = await new Promise((resolve) => canvas.toBlob(resolve, KINDS[file.type], QUALITY));
        if (blob === null || blob.size >= file.size)
            return file;
        const name = ENDINGS[blob.type] ? file.name.replace(/\.[^.]*$/, '') + `.${ENDINGS[blob.type]}` : file.name;
        return new File([blob], name, {type: blob.type, lastModified: file.lastModified});
    } catch {
        return file; // as it is: the server may be able to
    }
}

# SPDX-License-Identifier: BSD-2-Clause
# Proves that no file costs the media process more than a child and its time: bombs, files that are cut short or changed,
# files that are two things at once. Each is refused or a plain file, unless all of it is what it says; the process lives on.
use Tidings;
use Compress::Zlib ();
use Tidings::Inspect qw(vips make_clip);
use Tidings::Util qw(slurp spew);

my $dir = Tidings::dir();
my $i = Tidings::Inspect->new(children => 2);
my $media = $i->{media};
my $slowest = 0;
srand 13;

sub file { my ($name, @content) = @_; return spew("$dir/$name", join '', @content) }
sub look_at {
	my @got = $i->look(@_);
	for (@got) { $slowest = $_->{ms} if $_->{ms} > $slowest }
	return wantarray ? @got : $got[0];
}
# "refused: why", "plain", or "ok TYPE"
sub verdict { my ($r) = @_; return $r->{status} eq 'ok' ? $r->{checked} ? "ok $r->{type}" : 'plain' : $r->{status} eq 'refused' ? "refused: $r->{reason}" : $r->{status} }

sub png_chunk { my ($type, $data) = @_; return pack('N', length $data) . $type . $data . pack('N', Compress::Zlib::crc32($type . $data)) }
sub png {
	my ($w, $h, $depth, $colour, @chunks) = @_;
	return "\x89PNG\r\n\x1a\n" . png_chunk('IHDR', pack 'NNC5', $w, $h, $depth, $colour, 0, 0, 0) . join('', @chunks) . png_chunk('IEND', '');
}
sub zeros { my ($n) = @_; my $d = Compress::Zlib::deflateInit(-Level => 9); my ($out, $block) = ('', "\0" x 1048576); for (my $left = $n; $left > 0; $left -= length $block) { $out .= $d->deflate($left < length $block ? substr $block, 0, $left : $block) } return $out . $d->flush }
sub gif {
	my ($w, $h, $frames, $fw, $fh) = @_;
	my $frame = "!\xF9\x04\0\x01\0\0\0" . ',' . pack('v4C', 0, 0, $fw // 1, $fh // 1, 0) . "\x02\x02\x44\x01\0";
	return 'GIF89a' . pack('vvC3', $w, $h, 0x80, 0, 0) . "\0\0\0\xFF\xFF\xFF" . $frame x $frames . ';';
}
sub samples {
	my %path = map { ("s.$_" => "$dir/s.$_") } qw(jpg png gif webp);
	vips('black', "$dir/b.v", 60, 40, '--bands', 3);
	vips('gaussnoise', "$dir/n.v", 60, 40, '--mean', 128, '--sigma', 40);
	vips('add', "$dir/b.v", "$dir/n.v", "$dir/bn.v");
	vips('cast', "$dir/bn.v", "$dir/sample.v", 'uchar');
	vips('copy', "$dir/sample.v", $_) for values %path;
	for my $name (qw(s.avif s.heic)) { $path{$name} = "$dir/$name" if eval { vips('copy', "$dir/sample.v", "$dir/$name"); 1 } }
	my @sound = qw(-f lavfi -i sine=duration=0.5);
	$path{'s.mp4'} = make_clip("$dir/s.mp4", qw(-f lavfi -i testsrc=size=96x64:rate=10:duration=0.5), @sound, qw(-pix_fmt yuv420p -c:v libx264 -c:a aac));
	$path{'s.webm'} = make_clip("$dir/s.webm", '-i', "$dir/s.mp4", qw(-c:v libvpx -c:a libvorbis));
	$path{"s.$_"} = make_clip("$dir/s.$_", @sound) for qw(mp3 ogg wav flac);
	return %path;
}
my %sample = samples();
my %is_picture = map { $_ => 1 } qw(s.jpg s.png s.gif s.webp s.avif s.heic);

subtest 'bombs' => sub {
	my $pixels = 'refused: the picture has too many pixels';
	is verdict(scalar look_at(file('b.png', png(50000, 50000, 1, 0, png_chunk('IDAT', zeros(1000)))))), $pixels, 'a PNG that says it is huge';
	is verdict(scalar look_at(file('b.png', png(60000, 60000, 8, 2, png_chunk('IDAT', zeros(30_000_000)))))), $pixels, 'one that is';
	is verdict(scalar look_at(file('b.png', png(10_000_000, 1, 8, 0, png_chunk('IDAT', zeros(10_000_001)))))), $pixels, 'and a long line';
	is verdict(scalar look_at(file('b.png', png(7000, 7000, 8, 2, png_chunk('IDAT', zeros(1000)))))), 'refused: the picture is damaged', 'a PNG with fewer pixels than it says';
	like verdict(scalar look_at(file('b.png', png(7000, 7000, 16, 6, png_chunk('IDAT', zeros(7000 * 56001)))))), qr/\A(?:ok|refused)/, 'the largest one that is allowed, 16 bits and transparent';
	like verdict(scalar look_at(file('b.png', png(9, 9, 8, 2, png_chunk('iCCP', "icc\0\0" . zeros(400_000_000)), png_chunk('IDAT', zeros(9 * 28)))))), qr/\A(?:ok|refused)/, 'a colour profile that unpacks to 400 MB';
	like verdict(scalar look_at(file('b.png', png(9, 9, 8, 2, (map { png_chunk('zTXt', "t$_\0\0" . zeros(40_000_000)) } 1 .. 20), png_chunk('IDAT', zeros(9 * 28)))))), qr/\A(?:ok|refused)/, 'texts that do';
	my $jpeg = slurp($sample{'s.jpg'});
	(my $large = $jpeg) =~ s/(\xFF\xC0..\x08)..../$1\xFF\xDC\xFF\xDC/s;
	like verdict(scalar look_at(file('b.jpg', $large))), qr/\Arefused/, 'a JPEG that says it is huge';
	my ($scan) = $jpeg =~ /(\xFF\xDA.*)\xFF\xD9\z/s;
	like verdict(scalar look_at(file('b.jpg', substr($jpeg, 0, -2), $scan x 5000, "\xFF\xD9"))), qr/\A(?:ok|refused)/, 'one with 5000 scans';
	my ($webp) = slurp($sample{'s.webp'}) =~ /(VP8 .*)/s;
	substr $webp, 14, 4, pack 'vv', 16383, 16383;
	like verdict(scalar look_at(file('b.webp', 'RIFF', pack('V', 4 + length $webp), 'WEBP', $webp))), qr/\Arefused/, 'a WebP that says it is huge';
	is verdict(scalar look_at(file('b.gif', gif(1, 1, 100_000)))), 'refused: the animation has too many frames', 'a GIF of 100,000 pictures';
	is verdict(scalar look_at(file('b.gif', gif(1, 1, 1)))), 'ok image/gif', 'of one';
	is verdict(scalar look_at(file('b.gif', gif(60000, 60000, 1)))), $pixels, 'one that says it is huge';
	is verdict(scalar look_at(file('b.gif', gif(2000, 2000, 20)))), $pixels, 'one whose pictures are too many pixels, all together';
	my $apng = png(2000, 2000, 8, 2, png_chunk('acTL', pack 'NN', 20, 0), (map { png_chunk('fcTL', pack 'N5n2C2', $_, 2000, 2000, 0, 0, 1, 10, 0, 0) } 1 .. 20), png_chunk('IDAT', zeros(2000 * 6001)));
	is verdict(scalar look_at(file('b.png', $apng))), $pixels, 'and a PNG that moves';
};

subtest 'nothing in it' => sub {
	open my $f, '>', "$dir/zeros" or die;
	truncate $f, 100 << 20;
	close $f;
	is verdict(scalar look_at("$dir/zeros")), 'plain', '100 MB of zeros';
	for my $magic ("\xFF\xD8\xFF\xE0", "\x89PNG\r\n\x1a\n", 'GIF89a', "RIFF\xFF\xFF\0\0WEBPVP8 ", "\0\0\0\x1Cftypheic\0\0\0\0mif1heic", "\0\0\0\x1Cftypavif\0\0\0\0avifmif1", "\0\0\0\x20ftypisom\0\0\x02\0", "\x1A\x45\xDF\xA3\x01\0\0\0\0\0\0\x23\x42\x82\x84webm", 'OggS', "ID3\x04\0\0\0\0\x0F\x76", "RIFF\xFF\xFF\0\0WAVEfmt ", 'fLaC') {
		my @got = map { verdict(scalar look_at(file('junk', $magic, $_))) } '', "\0" x 10_000, "\xFF" x 10_000, join '', map { chr int rand 256 } 1 .. 10_000;
		unlike "@got", qr{ok image/}, 'nothing behind ' . $magic =~ s/[^ -~]/./gr;
	}
};

# Of each kind, cut short at every hundredth of it.
subtest 'cut short' => sub {
	for my $name (sort keys %sample) {
		my $whole = slurp($sample{$name});
		like verdict(scalar look_at($sample{$name})), qr/\Aok/, "$name, whole";
		my @files = map { file("cut$_.$name", substr $whole, 0, $_ * length($whole) / 100) } 1 .. 99;
		my @got = map { verdict($_) } look_at(@files);
		my @strange = grep { !/\A(?:plain|refused|ok (?:audio|video))/ } @got;
		is_deeply [@strange], [], 'cut short it is no picture, and costs nothing';
		cmp_ok scalar(grep { /too much/ } @got), '==', 0, 'nor any time' or diag "@got";
		unlink map { ($_, "$_.thumb", "$_.clean") } @files;
	}
};

# Bytes are changed, also where the index of a video is.
subtest 'changed' => sub {
	for my $name (sort keys %sample) {
		my @files;
		for my $n (1 .. 60) {
			my $bytes = slurp($sample{$name});
			substr $bytes, rand length $bytes, 1, chr int rand 256 for 1 .. 1 + $n / 4;
			push @files, file("changed$n.$name", $bytes);
		}
		my @got = look_at(@files);
		is scalar(grep { $_->{status} eq 'unavailable' } @got), 0, "$name, changed: there is a verdict each time";
		is scalar(grep { $_->{status} eq 'ok' && !$_->{checked} && ($_->{thumb} || $_->{clean} || $_->{width}) } @got), 0, 'a plain file is nothing else';
		unlink map { ($_, "$_.thumb", "$_.clean") } @files;
	}
	my $mp4 = slurp($sample{'s.mp4'});
	for my $box (qw(stco stsz stsc stts ctts stss)) {
		my $at = index $mp4, $box;
		next if $at < 0;
		my @files = map { my $copy = $mp4; substr $copy, $at + 4, 24, $_ x 24; file("$box" . ord($_) . '.mp4', $copy) } "\0", "\xFF", "\x7F";
		is scalar(grep { $_->{status} eq 'unavailable' } look_at(@files)), 0, "a video whose $box is broken";
	}
};

# The copy that people get is one thing only.
subtest 'two things at once' => sub {
	my ($jpeg, $png, $gif) = map { slurp($sample{"s.$_"}) } qw(jpg png gif);
	my $evil = '<script>alert(document.domain)</script>';
	my $zip = "PK\x03\x04" . 'evil.class' . "PK\x05\x06" . "\0" x 18;
	my %case = (
		'p.jpg' => substr($jpeg, 0, 2) . "\xFF\xFE" . pack('n', 2 + length $evil) . $evil . substr($jpeg, 2) . $zip,
		'p.png' => substr($png, 0, 33) . png_chunk('tEXt', "a\0$evil") . substr($png, 33) . $zip,
		'p.gif' => substr($gif, 0, -1) . "!\xFE" . chr(length $evil) . "$evil\0;$zip",
	);
	for my $name (sort keys %case) {
		my $r = look_at(file($name, $case{$name}));
		like verdict($r), qr/\Aok image/, "$name is a picture";
		unlike slurp("$r->{path}.clean"), qr/script|PK\x03|PK\x05/, 'and its copy is nothing else';
	}
	for my $text ("GIF89a=1;/*$evil*/", "<!-- $evil -->$jpeg", "%PDF-1.4\n$jpeg", "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "ffconcat version 1.0\nfile /etc/passwd\n") {
		unlike verdict(scalar look_at(file('p', $text))), qr/\Aok/, 'not a picture: ' . substr($text, 0, 12) =~ s/\W/./gr;
	}
};

diag "the slowest file took $slowest ms";
is $i->{media}, $media, 'and the process';
ok kill(0, $media), 'lives on';
is verdict(scalar look_at($sample{'s.jpg'})), 'ok image/jpeg', 'and looks at files';
is $i->stop, 0, 'until it is told to leave';
done_testing;

# SPDX-License-Identifier: BSD-2-Clause
# Proves the house rules of the sources: who may include whom (proc -> im -> cmd -> api -> live, media -> net, store, bus, hub -> core), one door to
# each outside library, headers that stand alone, licence tags, and files short enough to read.
use Tidings;
use Tidings::Util qw(run slurp spew);
use File::Find ();

my $top = Tidings::top();

# A folder may include itself and these.
my @below = qw(net store bus hub);
my %may = (
	core => [],
	(map { $_ => ['core'] } @below),
	live => [@below, 'core'],
	media => [@below, 'core'],
	api => ['live', 'media', @below, 'core'],
	cmd => ['api', 'live', 'media', @below, 'core'],
	im => ['cmd', 'api', 'live', 'media', @below, 'core'],
	relay => ['media', @below, 'core'],
	proc => ['im', 'relay', @below, 'core'],
	ctl => ['proc', 'media', @below, 'core'],
	inspector => ['proc', 'media', 'core'],
);

# The file that may know a library. libcrypto's digests, which many things need, and libevent, which is the loop of net,
# store and bus alike, have none.
my %door = (
	'mysql.h' => 'src/store/link', 'hiredis' => 'src/bus/\w+', 'jwt.h' => 'src/core/token', 'confuse.h' => 'src/core/conf',
	'yajl' => 'src/core/json(?:_out)?', # reading and writing
	'curl' => 'src/(?:media/s3|net/fetch)', # files, on threads; and requests, in the loop
	'utf8proc.h' => 'src/core/fold', 'crypt.h' => 'src/core/password', 'ares.h' => 'src/core/lookup',
	'openssl/ssl.h' => 'src/net/tls', 'http_parser.h' => 'src/net/http\w*', 'zlib.h' => 'src/net/ws_deflate',
	'vips/vips.h' => 'src/inspector/picture', 'magic.h' => 'src/inspector/type', 'seccomp.h' => 'src/inspector/sandbox',
	'libavformat' => 'src/inspector/clip', 'libavcodec' => 'src/inspector/clip', 'libswscale' => 'src/inspector/clip',
	'openssl/pem.h' => 'src/core/pubkey', 'openssl/param_build.h' => 'src/core/pubkey',
);

my @files;
File::Find::find({no_chdir => 1, wanted => sub { push @files, $_ if /\.[ch]\z/ }}, grep { -d } map { "$top/$_" } qw(src t/unit t/fuzz contrib));
@files = sort grep { !m{/(build|node_modules)} } map { substr $_, 1 + length $top } @files;
my @src = grep { m{^src/} } @files;
ok @src > 20, 'the sources are where this test looks';

sub includes {
	my ($file) = @_;
	return slurp("$top/$file") =~ /^[ \t]*#[ \t]*include[ \t]+([<"][^>"]+)[>"]/mg;
}

my (%doors_used, @upward, @headers_leak, @base_late, @strange);
for my $file (@src) {
	my ($folder) = $file =~ m{^src/(?:([^/]+)/)?[^/]+\z};
	my @includes = includes($file);
	my $first;
	for (@includes) {
		my ($kind, $name) = /^(.)(.*)/;
		$first //= $name;
		if ($kind eq '"' && $name eq 'config.h') {
			push @strange, "$file: config.h (core/base.h brings it)" if $file ne 'src/core/base.h';
		} elsif ($kind eq '"') {
			my ($target) = $name =~ m{^([a-z]+)/};
			if (!defined $target || !-e "$top/src/$name") {
				push @strange, "$file: \"$name\" is no FOLDER/FILE.h under src/";
			} elsif (defined $folder && $target ne $folder && !grep { $_ eq $target } @{$may{$folder} // []}) {
				push @upward, "$file includes $name";
			}
		}
		for my $lib (keys %door) {
			next if $kind ne '<' || $name !~ m{^(mysql/|mariadb/)?\Q$lib\E(/|\z)};
			$doors_used{$lib}{$file} = 1;
			push @headers_leak, "$file includes $name" if $file =~ /\.h\z/;
		}
	}
	push @base_late, "$file begins with $first" if defined $first && $file ne 'src/core/base.h' && $first ne 'core/base.h';
}
is_deeply \@upward, [], 'no file includes upward or sideways';
is_deeply \@strange, [], 'our own headers are named by folder';
is_deeply \@headers_leak, [], 'no header of ours brings in a library';
is_deeply \@base_late, [], 'core/base.h comes first everywhere';
for my $lib (sort keys %door) {
	my @users = sort keys %{$doors_used{$lib} // {}};
	my @foreign = grep { !m{^$door{$lib}\.c\z} } @users;
	is_deeply \@foreign, [], "$lib is met at its door only" or diag(join "\n", @foreign);
	cmp_ok scalar(@users), '<=', $lib =~ /\A(?:yajl|curl)\z/ ? 2 : 1, "$lib has one door" or diag(join "\n", @users);
}

# The other way round: a folder's unit tests link only what the folder may see, so they cannot reach up either.
my @units_up;
for my $file (grep { m{^t/unit/[^/]+/} } @files) {
	my ($folder) = $file =~ m{^t/unit/([^/]+)/};
	for (includes($file)) {
		next if !m{^"([a-z]+)/} || $1 eq $folder || $1 eq 't' || $1 eq 'unit';
		my $target = $1;
		push @units_up, "$file includes " . substr $_, 1 if !grep { $_ eq $target } @{$may{$folder} // []};
	}
}
is_deeply \@units_up, [], 'unit tests stay within their folder\'s sight';

# ---- each header alone, twice: self-sufficient and guarded ----
my $cc = $ENV{CC} // 'cc';
my @bad;
for my $header (grep { /\.h\z/ } @src) {
	my ($name) = $header =~ m{^src/(.*)};
	my $unit = spew(Tidings::dir() . '/alone.c', qq(#include "$name"\n#include "$name"\n));
	my ($status, $out, $err) = run(Tidings::dir(), $cc, '-std=gnu11', '-fsyntax-only', '-Wall', '-Wextra', '-Werror',
		'-Wno-unused-parameter', '-Wno-missing-field-initializers', '-D_GNU_SOURCE', "-I$top/src", $unit);
	push @bad, "$header: " . ($err =~ /(error:.*)/)[0] if $status;
}
is_deeply \@bad, [], 'every header compiles alone';

# ---- tags and length ----
my @untagged = grep { slurp("$top/$_") !~ m{\A/\* SPDX-License-Identifier: BSD-2-Clause \*/\n} } @files;
is_deeply \@untagged, [], 'every .c and .h begins with its licence tag';

my @scripts = sort glob("$top/t/*.t $top/t/lib/*.pm $top/t/lib/*/*.pm $top/t/lib/*/*/*.pm $top/schema/*.sql $top/contrib/*.sh"),
	grep { -f && slurp($_) =~ /\A#!/ } glob("$top/contrib/* $top/.ci/*");
my @scripts_untagged = grep { slurp($_) !~ m{\A(?:#!.*\n)?(?:#|--) SPDX-License-Identifier: BSD-2-Clause\n} } @scripts;
is_deeply \@scripts_untagged, [], 'and so does every script, test and schema file';

my $makefile = slurp("$top/Makefile.am");
my @unnamed = grep { $makefile !~ /(?<!\S)\Q$_\E(?!\S)/ } map { substr $_, length "$top/" } glob "$top/t/*.t";
is_deeply \@unnamed, [], 'Makefile.am names every test, so that it is shipped and run';

my @long = grep { (() = slurp("$top/$_") =~ /\n/g) > 600 } @files;
is_deeply \@long, [], 'no file has more than 600 lines';

done_testing;

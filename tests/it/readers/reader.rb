# Reads archives with rubyzip, the CodeDeploy agent's second choice: through the central directory
# with Zip::File, and front to back with Zip::InputStream. Every entry is written under a number;
# the names go to standard output in hexadecimal.
#
# ruby reader.rb OUT ARCHIVE...  writes OUT/<archive number>/{stream,file}/<entry number>

require 'fileutils'
require 'zip'

# Refuse an entry whose content is not as long as its header says.
Zip.validate_entry_sizes = true

def tell(label, number, entry, mode = nil)
  puts [label, number, entry.name.unpack1('H*'), mode].compact.join(' ')
end

out, *archives = ARGV
archives.each_with_index do |archive, index|
  label = "#{index}/file"
  FileUtils.mkdir_p("#{out}/#{label}")
  Zip::File.open(archive) do |zip|
    zip.each_with_index do |entry, number|
      File.binwrite("#{out}/#{label}/#{number}", entry.get_input_stream.read)
      mode = (entry.external_file_attributes >> 16) & 0o777
      tell(label, number, entry, format('%o', mode))
    end
  end

  label = "#{index}/stream"
  FileUtils.mkdir_p("#{out}/#{label}")
  Zip::InputStream.open(archive) do |zip|
    number = 0
    while (entry = zip.get_next_entry)
      File.binwrite("#{out}/#{label}/#{number}", zip.read)
      tell(label, number, entry)
      number += 1
    end
  end
end

"""Our own pictures, rendered from arithmetic and seeds: photographs, paintings, and the first samples."""
